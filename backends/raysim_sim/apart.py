"""Takes the roles of a world that is over apart. Never what others may still hold: references, values, the journal.

The parts of a role lead to each other in circles, two hundred objects a process. Python's collector takes 5 % of a
campaign's time to find them; without the circles they go by themselves. Only where one world follows another: else
the process ends soon, and a world may have a hundred thousand processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import compress
from typing import Any, Final

from raysim.protocol.process import Role

_PARTS: Final = "raysim.protocol."
"""Where the classes are whose objects belong to one role alone."""


def take_apart(roles: Sequence[Role]) -> None:
    left: list[object] = list(roles)
    while left:
        own: dict[str, Any] = left.pop().__dict__
        values = own.values()
        left += compress(values, map(_are_parts, map(type, values)))
        own.clear()


class _Kinds(dict[type, bool]):
    """Whether objects of a class are parts of a role, asked once of each class."""

    def __missing__(self, kind: type) -> bool:
        ours = kind.__module__.startswith(_PARTS)
        part = self[kind] = ours and kind.__dictoffset__ != 0 and not issubclass(kind, Enum)
        return part


_are_parts: Final = _Kinds().__getitem__
