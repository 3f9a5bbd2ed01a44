"""What the page's timeline draws: every execution as a few numbers, packed. Never draws it: see assets/page.js.

Of each execution: start and length in 2^32 ticks of the whole run, cores, node and name. A million of them take some
megabytes in the page, which can be looked at down to the single one.
"""

from __future__ import annotations

import zlib
from array import array
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final

from raysim.report import figures
from raysim.report.view import Attempt, View
from raysim.scenario.task_records import Records

TICKS: Final = 2**32 - 1
MOST_NAMES: Final = 2**16 - 1

ROW: Final = 18
"""Pixels of one execution's row; where there are many, the page draws thinner ones."""

_COLUMNS: Final = ("start", "length", "cores", "node", "name")


def chart_data(records: Records | None, view: View, end_s: float) -> dict[str, Any]:
    """What the page's script reads. Without records, what the view alone tells: then each execution counts."""
    bars = _Bars(records, view, end_s)
    return {
        "end": end_s,
        "names": bars.names,
        "colours": figures.MOST_STAGES,
        "nodes": bars.nodes,
        "count": len(bars.start),
        "packed": bars.packed(),
        "odd": bars.odd,
        "marks": [
            [mark.at_s, mark.kind, mark.text, mark.node]
            for mark in view.marks
            if mark.kind in ("fault", "node lost")
        ],
    }


def height(view: View) -> int:
    """Pixels that a row for each core takes: the place that the page keeps before anything is drawn."""
    rows = sum(max(1, round(node.cpus or 4)) for node in view.nodes)
    return min(2_000, max(140, rows * ROW + len(view.nodes) * 8 + 30))


def uncounted(view: View) -> Iterator[Attempt]:
    """Executions that the records do not tell of: those that did not finish, or had finished before."""
    done: set[str] = set()
    for attempt in sorted(view.attempts, key=lambda attempt: attempt.end_s):
        if attempt.status == "finished" and attempt.task not in done:
            done.add(attempt.task)
        else:
            yield attempt


class _Bars:
    """The columns, in no order."""

    def __init__(self, records: Records | None, view: View, end_s: float) -> None:
        self.start = array("I")
        self.length = array("I")
        self.cores = array("f")
        self.node = array("H")
        self.name = array("H")
        self.odd: dict[int, list[str]] = {}
        """What is to be said of those that did not count."""
        self.nodes = [
            {"name": node.name, "cpus": node.cpus, "lost": node.lost_s} for node in view.nodes
        ]
        self.names = [] if records is None else [found.name for found in figures.stages(records)]
        self._number = {name: number for number, name in enumerate(self.names)}
        self._ticks = TICKS / end_s if end_s else 0.0
        place = {node["name"]: at for at, node in enumerate(self.nodes)}
        if records is None:
            self._add_all(view)
        else:
            self._add_counted(records, place)
            self._add_others(view)

    def packed(self) -> str:
        """The columns one after another, deflated, in base64; little-endian, as browsers are."""
        columns = (getattr(self, name).tobytes() for name in _COLUMNS)
        return b64encode(zlib.compress(b"".join(columns), 6)).decode()

    def _add_counted(self, records: Records, place: dict[Any, int]) -> None:
        stages = [self._named(name) for name in records.stages]
        columns = (records.start_s, records.end_s, records.cores, records.nodes(), records.stage)
        for start_s, end_s, cores, node, stage in zip(*columns, strict=True):
            if end_s == end_s and node in place:
                self._add(start_s, end_s, cores, place[node], stages[stage])

    def _add_all(self, view: View) -> None:
        for one in view.attempts:
            if one.node >= 0:
                if one.status not in ("finished", "running"):
                    self.odd[len(self.start)] = [one.status, one.reason]
                self._add(one.start_s, one.end_s, 1.0, one.node, self._named(one.name))

    def _add_others(self, view: View) -> None:
        for one in uncounted(view):
            if one.node >= 0:
                said = "done again" if one.status == "finished" else one.status
                self.odd[len(self.start)] = [said, one.reason]
                self._add(one.start_s, one.end_s, 1.0, one.node, self._named(one.name))

    def _named(self, name: str) -> int:
        number = self._number.setdefault(name, len(self._number))
        if number == len(self.names) and number < MOST_NAMES:
            self.names.append(name)
        return min(number, MOST_NAMES - 1)

    def _add(self, start_s: float, end_s: float, cores: float, node: int, name: int) -> None:
        start = min(TICKS, max(0, round(start_s * self._ticks)))
        self.start.append(start)
        self.length.append(min(TICKS - start, max(0, round((end_s - start_s) * self._ticks))))
        self.cores.append(cores)
        self.node.append(node)
        self.name.append(name)
