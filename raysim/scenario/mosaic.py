"""A made workflow in the shape of an image mosaic, as WfFormat 1.5. Never random: formulas only.

The shape is that of Montage (Berriman et al., SPIE 2004), the workflow that the scheduling
literature uses most: re-project every image, fit the difference of every pair that overlaps,
collect the fits, solve for the backgrounds, correct each image, make the table of images, co-add,
shrink, render. Runtimes and sizes have the magnitudes of a run on 2MASS images of about 4 MB; they
vary from task to task by a fixed sequence, so that the file is the same wherever it is written.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from typing import Any

_GOLDEN = 0.618_033_988_749_895
"""The fractional part of its multiples fills (0, 1) evenly: Weyl's sequence, a fixed variation."""


def mosaic(columns: int = 6, rows: int = 4, image_bytes: int = 4_150_080) -> dict[str, Any]:
    """A WfFormat 1.5 document of a sky of `columns` by `rows` images; 24 images make 107 tasks."""
    if columns < 2 or rows < 1:
        raise ValueError(f"a mosaic needs two images that overlap, not {columns} by {rows}")
    draft = _Draft()
    grid = [(column, row) for row in range(rows) for column in range(columns)]
    for place in grid:
        _project(draft, place, image_bytes)
    pairs = _overlaps(columns, rows)
    for number, (first, second) in enumerate(pairs):
        draft.add(
            f"diff_fit_{number:03d}",
            runtime_s=0.9 + 0.8 * draft.vary(),
            reads=[f"projected{_at(first)}.fits", f"projected{_at(second)}.fits"],
            writes={f"fit_{number:03d}.txt": 280 + round(40 * draft.vary())},
        )
    fits = [f"fit_{number:03d}.txt" for number in range(len(pairs))]
    draft.add("concat_fit", runtime_s=1.4, reads=fits, writes={"fits.tbl": 92 * len(pairs)})
    draft.add("background_model", 4.2, ["fits.tbl"], {"corrections.tbl": 58 * len(grid)})
    for place in grid:
        reads = [f"projected{_at(place)}.fits", "corrections.tbl"]
        writes = {f"corrected{_at(place)}.fits": image_bytes}
        draft.add(f"background{_at(place)}", 0.7 + 0.6 * draft.vary(), reads, writes)
    corrected = [f"corrected{_at(place)}.fits" for place in grid]
    mosaic_bytes = image_bytes * len(grid) * 7 // 10
    draft.add("image_table", 1.1, corrected, {"images.tbl": 310 * len(grid)})
    draft.add("co_add", 6.8, [*corrected, "images.tbl"], {"mosaic.fits": mosaic_bytes})
    draft.add("shrink", 1.9, ["mosaic.fits"], {"small.fits": mosaic_bytes // 25})
    draft.add("render", 0.8, ["small.fits"], {"mosaic.jpg": mosaic_bytes // 250})
    return draft.document(f"mosaic-{columns}x{rows}")


def mosaic_json(columns: int = 6, rows: int = 4) -> str:
    """The text of that document, as `scenarios/workflows/mosaic.json` holds it."""
    return json.dumps(mosaic(columns, rows), indent=1) + "\n"


def _project(draft: _Draft, place: tuple[int, int], image_bytes: int) -> None:
    raw, projected = f"raw{_at(place)}.fits", f"projected{_at(place)}.fits"
    draft.add_input(raw, image_bytes // 2)
    draft.add(f"project{_at(place)}", 6.0 + 5.0 * draft.vary(), [raw], {projected: image_bytes})


def _overlaps(columns: int, rows: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of images that share sky: side by side, one above the other, and down to the right."""
    steps = ((1, 0), (0, 1), (1, 1))
    return [
        ((column, row), (column + right, row + down))
        for row in range(rows)
        for column in range(columns)
        for right, down in steps
        if column + right < columns and row + down < rows
    ]


def _at(place: tuple[int, int]) -> str:
    return f"_{place[0]}_{place[1]}"


class _Draft:
    """Tasks and files in the order of adding; a task waits for the writers of what it reads."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[str, Any]] = {}
        self._runtimes: dict[str, float] = {}
        self._sizes: dict[str, int] = {}
        self._writers: dict[str, str] = {}
        self._steps = count(1)

    def vary(self) -> float:
        """The next number of a fixed sequence that fills (0, 1) evenly."""
        return next(self._steps) * _GOLDEN % 1.0

    def add_input(self, file: str, size_bytes: int) -> None:
        self._sizes[file] = size_bytes

    def add(self, task: str, runtime_s: float, reads: list[str], writes: dict[str, int]) -> None:
        parents = list(
            dict.fromkeys(self._writers[file] for file in reads if file in self._writers)
        )
        for parent in parents:
            self._tasks[parent]["children"].append(task)
        self._tasks[task] = {
            "id": task,
            "name": task,
            "parents": parents,
            "children": [],
            "inputFiles": reads,
            "outputFiles": list(writes),
        }
        self._runtimes[task] = round(runtime_s, 3)
        self._sizes.update(writes)
        self._writers.update(dict.fromkeys(writes, task))

    def document(self, name: str) -> dict[str, Any]:
        execution = [
            {"id": task, "runtimeInSeconds": runtime, "coreCount": 1}
            for task, runtime in self._runtimes.items()
        ]
        files = [{"id": file, "sizeInBytes": size} for file, size in self._sizes.items()]
        return {
            "name": name,
            "description": "Made by raysim.scenario.mosaic: the shape of an image mosaic, no run.",
            "schemaVersion": "1.5",
            "workflow": {
                "specification": {"tasks": list(self._tasks.values()), "files": files},
                "execution": {
                    "makespanInSeconds": round(sum(self._runtimes.values()), 3),
                    "executedAt": "1970-01-01T00:00:00Z",
                    "tasks": execution,
                },
            },
        }


if __name__ == "__main__":
    sys.stdout.write(mosaic_json())
