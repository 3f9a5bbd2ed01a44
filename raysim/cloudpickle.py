"""The pickler that functions and classes travel with, as `ray.cloudpickle` gives it. Defines nothing.

References pickled with it by hand are kept for as long as this process lives: nobody can know who has
the bytes.
"""

from cloudpickle import (
    CloudPickler,
    Pickler,
    dump,
    dumps,
    load,
    loads,
    register_pickle_by_value,
    unregister_pickle_by_value,
)

__all__ = [
    "CloudPickler",
    "Pickler",
    "dump",
    "dumps",
    "load",
    "loads",
    "register_pickle_by_value",
    "unregister_pickle_by_value",
]
