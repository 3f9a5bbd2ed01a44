"""cloudpickle's pickler, with bytes that do not depend on which strings of a process are one object. Never a format of
its own.

A function's code and the globals of its module both name the file. Whether that is one string or two equal ones, of
which the pickler writes the second as a reference to the first, depends on how the module came here: compiled, from
its cache, or by pytest. So did the size, and with it, in the simulator, the time that sending it takes.
"""

from __future__ import annotations

from collections import ChainMap
from io import BytesIO
from types import CodeType
from typing import Any, ClassVar

import cloudpickle


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    make, parts = cloudpickle.Pickler.dispatch_table[CodeType](code)
    # A copy, of which nobody else can have a part.
    return make, tuple("".join(part) if part is code.co_filename else part for part in parts)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types.
    """For all that travels."""

    dispatch_table: ClassVar[ChainMap[type, Any]] = ChainMap(
        {CodeType: _reduce_code}, *cloudpickle.Pickler.dispatch_table.maps
    )


def dumps(value: object) -> bytes:
    """Raises what the value's own reduction raises, TypeError typically."""
    file = BytesIO()
    Pickler(file, protocol=5).dump(value)
    return file.getvalue()
