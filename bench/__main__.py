"""`python -m bench`: runs the contenders in turn, each in a fresh process, and prints one table of ratios.

Ray takes part where `import ray` works, or where RAYSIM_BENCH_RAY_PYTHON names an interpreter that
has it. Then come the bars of the simulator. Writes `runs/bench/results.json` and `runs/bench/results.md`.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from bench.simulated import measured

HERE = Path(__file__).parent
ROUNDS = 3
TIMEOUT_S = 300

Results = dict[str, dict[str, list[float]]]
"""Contender -> measurement -> one rate a round."""


def ray_python() -> str | None:
    """The interpreter that runs Ray's part, or None."""
    named = os.environ.get("RAYSIM_BENCH_RAY_PYTHON")
    if named:
        return named
    return sys.executable if importlib.util.find_spec("ray") else None


def contenders() -> dict[str, str]:
    """Name -> interpreter."""
    found = {
        "cluster": sys.executable,
        "ProcessPoolExecutor": sys.executable,
        "sim": sys.executable,
    }
    ray = ray_python()
    if ray is not None:
        found["ray"] = ray
    else:
        print(
            "Ray is not installed here: its column is left out. "
            "Set RAYSIM_BENCH_RAY_PYTHON to an interpreter that has it.",
            file=sys.stderr,
        )
    return found


def run(name: str, python: str) -> dict[str, float]:
    done = subprocess.run(
        [python, str(HERE / "workloads.py"), name],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent) if name == "sim" else ""},
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"bench: {name} failed with exit code {done.returncode}:\n{done.stderr}")
    rates: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return rates


def measure(rounds: int) -> Results:
    results: Results = {}
    found = contenders()
    for number in range(rounds):
        for name, python in found.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            for measurement, value in run(name, python).items():
                results.setdefault(name, {}).setdefault(measurement, []).append(value)
    return results


def shown(values: list[float] | None) -> str:
    if not values:
        return "-"
    spread = (max(values) - min(values)) / statistics.median(values)
    return f"{statistics.median(values):,.4g} (±{spread / 2:.0%})"


def ratio(ours: list[float], theirs: list[float] | None) -> str:
    if not theirs:
        return "-"
    return f"{statistics.median(ours) / statistics.median(theirs):.2f}x"


def table(results: Results) -> str:
    """Markdown: rates in operations (or bytes) a second, medians over the rounds, half the spread."""
    cluster = results["cluster"]
    pool, ray = results["ProcessPoolExecutor"], results.get("ray", {})
    lines = [
        "| per second | cluster | ProcessPoolExecutor | ray | cluster / pool | cluster / ray |",
        "|---|---|---|---|---|---|",
    ]
    for name, ours in cluster.items():
        theirs, rays = pool.get(name), ray.get(name)
        cells = [
            name,
            shown(ours),
            shown(theirs),
            shown(rays),
            ratio(ours, theirs),
            ratio(ours, rays),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| simulated, per second of wall time | sim |", "|---|---|"]
    lines += [f"| {name} | {shown(values)} |" for name, values in results["sim"].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--long", action="store_true", help="a million simulated tasks, too")
    given = parser.parse_args()
    results = measure(given.rounds)
    text = f"{table(results)}\n\n{measured(given.long)}"
    given.out.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    (given.out / "results.json").write_text(
        json.dumps({"machine": machine, "rates": results}, indent=1)
    )
    (given.out / "results.md").write_text(text + "\n")
    print(text)
    print(f"\nWritten to {given.out}/results.md and results.json", file=sys.stderr)


if __name__ == "__main__":
    main()
