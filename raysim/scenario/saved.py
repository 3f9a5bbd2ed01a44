"""What runs and comparisons left on disk, read again, whichever raysim wrote it. Never runs anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from raysim.scenario.folder import SUMMARY
from raysim.scenario.outcomes import JSON as RUNS
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.reading import read_text

COMPARISON: Final = "comparison.json"

Key: TypeAlias = tuple[str, ...]
"""What a value is of: (run, figure), or (scenario, measure, policy)."""

Values: TypeAlias = dict[Key, dict[int, float | None]]
"""By seed; of a single run by its own."""


class Saved(msgspec.Struct, frozen=True):
    """Figures by what they are of. `values`: one, or one for each seed, None where a run has none."""

    path: str
    kind: str
    """`runs` or `comparison`."""
    values: Values
    digests: dict[str, str]
    """Of runs in virtual time, by name: equal ones are the same run."""


def load_saved(path: Path) -> Saved:
    """Of a run's folder, that of many runs, or one of `raysim bench policies`; or of the file in it.

    Raises ScenarioError.
    """
    file = _file(path)
    text = read_text(file)
    try:
        data = msgspec.json.decode(text)
        match file.name:
            case "comparison.json":
                return Saved(str(path), "comparison", _of_comparison(data), {})
            case _:
                runs = data if isinstance(data, list) else [{"run": "", "summary": data}]
                known = {one["run"]: one["summary"] for one in runs if one["summary"] is not None}
                values: Values = {
                    (run, figure): {int(summary["seed"]): value}
                    for run, summary in known.items()
                    for figure, value in _figures(summary)
                }
                digests = {
                    run: summary["digest"]
                    for run, summary in known.items()
                    if summary.get("digest")
                }
                return Saved(str(path), "runs", values, digests)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        what = f"is not what raysim leaves under this name: {type(error).__name__}: {error}"
        raise ScenarioError([Problem(str(file), None, what)]) from error


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    names = (SUMMARY, RUNS, COMPARISON)
    for name in names:
        if (path / name).is_file():
            return path / name
    what = (
        f"there is none of {', '.join(names)} in this folder; give a run's, or that of a comparison"
    )
    raise ScenarioError([Problem(str(path), None, what)])


def _figures(summary: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    """All that are numbers, in the order of the summary; then `mean(task_wait)` and the like."""
    for name, value in summary.items():
        if name != "seed" and (value is None or isinstance(value, (int, float))):
            yield name, value
    for sample, spread in summary.get("samples", {}).items():
        yield from ((f"{of}({sample})", spread[of]) for of in ("mean", "p50", "p95", "p99"))


def _of_comparison(data: dict[str, Any]) -> Values:
    found: Values = {}
    for outcome in data["outcomes"]:
        cell = outcome["cell"]
        for measure, value in zip(data["plan"]["measures"], outcome["values"], strict=True):
            key = (str(Path(cell["scenario"]).stem), measure, cell["policy"])
            found.setdefault(key, {})[cell["seed"]] = value
    return found
