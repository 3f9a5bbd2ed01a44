"""Exchanges methods of types that are written in C, such as `datetime`. Never the type: whoever has it sees it.

A subclass in the type's place would be another type to `isinstance`, to pickle and to modules that imported
it before. So the entry in the type's own dictionary is exchanged, which Python offers no way to but this.
"""

import ctypes
import gc
from typing import Any


def method_of(kind: type, name: str) -> Any:
    """What stands in the type's dictionary, unbound."""
    return vars(kind)[name]


def set_method(kind: type, name: str, value: Any) -> None:
    """As `setattr(kind, name, value)`, which types written in C refuse."""
    (entries,) = gc.get_referents(vars(kind))  # The proxy refers to nothing but the dictionary.
    entries[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
