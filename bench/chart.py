"""The table as a picture: ratios beside their bars, and what sizes cost. Never measures, nor needs raysim.

    python -m bench.chart runs/bench/results.json runs/bench/results.svg

Needs matplotlib: the extra `bench`.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

RIVALS = ("ray", "ProcessPoolExecutor", "dask", "loky", "multiprocessing.Pool", "memcpy")
"""The first of them that was measured is the one in the picture."""

NO_BAR, MET, MISSED = "#8a8f98", "#2a7f62", "#c0392b"


class Beam(NamedTuple):
    """One line of the chart of ratios."""

    name: str
    ratio: float
    bar: float | None

    @property
    def colour(self) -> str:
        if self.bar is None:
            return NO_BAR
        return MET if self.ratio >= self.bar else MISSED


class Curve(NamedTuple):
    """What a series of sizes gave."""

    name: str
    unit: str
    points: tuple[tuple[int, float], ...]


def beams(results: dict[str, Any], rival: str) -> list[Beam]:
    found = []
    for row in results["lines"]:
        if rival in row["ratios"]:
            bars = [bar["value"] for bar in row["bars"] if bar["rival"] == rival]
            ratio = row["ratios"][rival]["median"]
            found.append(Beam(row["line"], ratio, bars[0] if bars else None))
    return found


def curves(results: dict[str, Any]) -> list[Curve]:
    points: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in results["lines"]:
        if row["size"] is not None:
            for found in row["values"].values():
                series = points.setdefault((row["group"], row["unit"]), [])
                series.append((row["size"], found["median"]))
    return [Curve(name, unit, tuple(sorted(found))) for (name, unit), found in points.items()]


def draw(results: dict[str, Any], to: Path) -> bool:
    """False, and no file, where there is nothing to draw."""
    from matplotlib.figure import Figure

    rival = next((one for one in RIVALS if beams(results, one)), RIVALS[0])
    drawn, lines = beams(results, rival), curves(results)
    panels = bool(drawn) + len(lines)
    if not panels:
        return False
    heights = [0.28 * len(drawn) + 1.2] * bool(drawn) + [2.6] * len(lines)
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    axes = figure.subplots(panels, squeeze=False, height_ratios=heights)[:, 0].tolist()
    if drawn:
        _draw_beams(axes.pop(0), drawn, rival)
    for axis, curve in zip(axes, lines, strict=True):
        _draw_curve(axis, curve)
    figure.savefig(to)
    return True


def _draw_beams(axis: Any, drawn: list[Beam], rival: str) -> None:
    places = range(len(drawn))
    axis.barh(places, [beam.ratio for beam in drawn], color=[beam.colour for beam in drawn])
    for place, beam in enumerate(drawn):
        if beam.bar is not None:
            axis.plot([beam.bar, beam.bar], [place - 0.45, place + 0.45], color="black")
        axis.text(beam.ratio, place, f" {beam.ratio:.3g}x", va="center", fontsize=8)
    axis.set_yticks(places, [beam.name for beam in drawn], fontsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.margins(x=0.12)
    axis.axvline(1, color="black", linewidth=0.5)
    axis.set_title(f"cluster against {rival}: how many times as good; a black mark is the bar")


def _draw_curve(axis: Any, curve: Curve) -> None:
    axis.plot(*zip(*curve.points, strict=True), marker="o")
    axis.set_xscale("log", base=2 if curve.points[-1][0] < 1000 else 10)
    axis.set_yscale("log")
    axis.set_title(curve.name)
    axis.set_ylabel(curve.unit)
    axis.grid(alpha=0.3)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
