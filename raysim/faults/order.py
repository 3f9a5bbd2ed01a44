"""Which of several events of one instant comes first, as data. Never performs it: see the simulator's clock."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

import msgspec

from raysim.spec.units import format_duration, parse_duration

FIFO: Final = "fifo"
RANDOM: Final = "random"
PCT: Final = "pct"
DELAYED: Final = "delayed"
KINDS: Final = (FIFO, RANDOM, PCT, DELAYED)

LENGTH: Final = 3_000
"""Events of a run of some thirty tasks. Ours."""


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """Never changes the order of what one process sends another, or of one process's timers."""

    kind: str = FIFO
    """`fifo`: as they were scheduled. `random`: each draws its place. `pct`: processes have drawn priorities,
    of which `depth` - 1 change during the run (Burckhardt et al., ASPLOS 2010). `delayed`: as scheduled, but
    for `depth` events that come last (Emmi et al., POPL 2011)."""
    depth: int = 3
    """Of `pct` and `delayed`: a bug of this depth needs so many events in one certain order."""
    bound_ns: int = 0
    """Events so near to each other count as of one instant: arrivals and timers are put off to the next multiple."""
    length: int = LENGTH
    """Of `pct` and `delayed`: among how many events, from the first, the places of change are drawn."""

    def __str__(self) -> str:
        given = [] if self.kind in (FIFO, RANDOM) else [f"depth={self.depth}"]
        if self.bound_ns:
            given.append(f"bound={format_duration(self.bound_ns)}")
        if self.kind not in (FIFO, RANDOM) and self.length != LENGTH:
            given.append(f"length={self.length}")
        return f"{self.kind}({', '.join(given)})" if given else self.kind


_CALL: Final = re.compile(r"\s*([A-Za-z]+)\s*(?:\(([^()]*)\))?\s*")


def parse_order(text: str) -> Order:
    """The order in a text such as `random`, `pct(depth=3)` or `random(bound=1ms)`. Raises ValueError."""
    call = _CALL.fullmatch(text)
    if call is None or call[1] not in KINDS:
        close = get_close_matches(text.partition("(")[0].strip(), KINDS, n=1)
        meant = f"did you mean {close[0]}?" if close else f"known are {', '.join(KINDS)}"
        raise ValueError(f"unknown order {text!r}; {meant}")
    values: dict[str, int] = {}
    for part in filter(str.strip, (call[2] or "").split(",")):
        name, _, value = (piece.strip() for piece in part.partition("="))
        match name:
            case "bound":
                values["bound_ns"] = parse_duration(value)
            case "depth" | "length" if value.isdigit() and int(value) > 0:
                values[name] = int(value)
            case _:
                raise ValueError(
                    f"{part.strip()!r} in {text!r}: give bound=1ms, depth=3 or length=3000"
                )
    return Order(call[1], **values)
