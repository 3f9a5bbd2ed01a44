"""What a run leaves: the table on the terminal and as Markdown, all values as JSON, a picture. Never measures."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bench import machine, table
from bench.contenders import Ready
from bench.lines import Line
from bench.turns import ROOT, Told


class Run(NamedTuple):
    """Who took part in what, and on which machine."""

    lines: list[Line]
    ready: list[Ready]
    left_out: dict[str, str]
    """Contender -> why."""
    told: Told
    loads: tuple[float, float]
    """Before and after."""
    seconds: float
    """That it took."""
    simulator: str = ""
    """A table of its own."""


def leave(run: Run, out: Path) -> list[str]:
    """Print the table and keep it; the names of the files in `out`."""
    rows = table.rows(run.lines, run.told.values)
    cpu = table.rows([table.of_cpu(line) for line in run.lines], run.told.cpu)
    about = machine.described()
    contenders = [one.participant.name for one in run.ready]
    text = "\n\n".join(
        part
        for part in (
            machine.header(about, run.loads, run.seconds, run.ready),
            *(f"Left out: {name}, as {why}." for name, why in run.left_out.items()),
            *(f"Failed: {failure}." for failure in run.told.failures),
            table.told_in_short(rows),
            table.markdown(rows, contenders),
            table.markdown_of_cpu(cpu, contenders),
            run.simulator,
        )
        if part
    )
    results: dict[str, Any] = {
        "machine": about | {"load_before": run.loads[0], "load_after": run.loads[1]},
        "seconds": round(run.seconds),
        "contenders": {one.participant.name: one.version for one in run.ready},
        "left_out": run.left_out,
        "failures": run.told.failures,
        "lines": table.as_json(rows),
        "cpu": table.as_json(cpu),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.md").write_text(text + "\n")
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(text)
    return ["results.md", "results.json", *picture(out, [sys.executable, *_pythons(run.ready)])]


def _pythons(ready: Iterable[Ready]) -> list[str]:
    return [one.python for one in ready]


def picture(out: Path, pythons: Iterable[str]) -> list[str]:
    """Drawn by the first interpreter that has matplotlib, if one has."""
    source, drawn = (out / "results.json").resolve(), (out / "results.svg").resolve()
    drawn.unlink(missing_ok=True)
    for python in dict.fromkeys(pythons):
        if (
            subprocess.run(
                [python, "-c", "import matplotlib"], stderr=subprocess.DEVNULL
            ).returncode
            == 0
        ):
            subprocess.run([python, "-m", "bench.chart", source, drawn], cwd=ROOT, check=True)
            break
    return [drawn.name] if drawn.exists() else []
