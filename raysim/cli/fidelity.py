"""The commands `raysim calibrate` and `raysim validate`. Never measures, never runs an experiment."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import click

from raysim.cli.run import BAD_INPUT, WENT_WRONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from raysim.fidelity.calibration import Fitted
    from raysim.fidelity.validation import Validated
    from raysim.scenario.loading import Experiment

_UNITS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))


def calibrate_command(out: Path) -> int:
    """0 when the file was written; 2 where it cannot be."""
    from raysim.fidelity.calibration import calibrate

    try:
        with out.open("a"):
            pass  # Before a minute of measuring, not after it.
    except OSError as error:
        click.echo(f"--out {out}: cannot be written: {error.strerror}", err=True)
        return BAD_INPUT
    with _status() as told:
        fitted = calibrate(told)
    out.write_text(machine_text(fitted), encoding="utf-8")
    click.echo(table_of_costs(fitted))
    click.echo(f"Written to {out}. Use it: raysim run SCENARIO --network {out}", err=True)
    return 0


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """What is under way, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


def machine_text(fitted: Sequence[Fitted]) -> str:
    """The file: a part of a scenario."""
    lines = [
        f"# What things cost on {platform.node()}, measured by `raysim calibrate`.",
        "# For `--network`, or to be included in a scenario.",
        "cluster:",
        "  network:",
    ]
    lines += [f"    {one.probe.cost}: {cost_text(one)}  # {one.probe.says}" for one in fitted]
    return "\n".join(lines) + "\n"


def cost_text(fitted: Fitted) -> str:
    """As scenarios write it: `41us`, `690MB/s`."""
    if fitted.probe.cost == "bandwidth":
        return f"{fitted.value / 1e6:.0f}MB/s"
    size, unit = next((pair for pair in _UNITS if fitted.value >= pair[0]), _UNITS[-1])
    return f"{fitted.value / size:.3g}{unit}"


def table_of_costs(fitted: Sequence[Fitted]) -> str:
    rows = [
        "| cost | found | by | real | simulated | error |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| `{one.probe.cost}` | {cost_text(one)} | {one.probe.says} | {one.measured_s * 1e3:.1f} ms "
        f"| {one.simulated_s * 1e3:.1f} ms | {one.error:.1%} |"
        for one in fitted
    ]
    return "\n".join(rows)


@dataclass(frozen=True)
class Validation:
    """What was asked for."""

    targets: tuple[str, ...]
    nodes: int | None
    cpus: float | None
    network: str | None
    policy: str | None
    seconds: float
    runs: int
    median_percent: float
    worst_percent: float
    out: Path | None


def validate_command(asked: Validation) -> int:
    """0 within the bounds, 1 beyond them, 2 for bad input."""
    from raysim.scenario.problems import ScenarioError

    try:
        found = list(_validated(asked))
    except ScenarioError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        return BAD_INPUT
    errors = sorted(abs(one.error) * 100 for one in found)
    click.echo(
        f"\nMakespan: median error {median(errors):.1f} % (bound {asked.median_percent:g} %), "
        f"worst {errors[-1]:.1f} % (bound {asked.worst_percent:g} %)."
    )
    if asked.out is not None:
        asked.out.write_text(json.dumps([plain(one) for one in found], indent=1), encoding="utf-8")
    held = median(errors) <= asked.median_percent and errors[-1] <= asked.worst_percent
    return 0 if held else WENT_WRONG


def _validated(asked: Validation) -> Iterator[Validated]:
    from raysim.fidelity.validation import validated

    # All are read before the first one runs: a mistake in the last is told at once.
    experiments = [_load(asked, target) for target in asked.targets]
    click.echo("| experiment | tasks | durations | simulated s | real s | error | task times |")
    click.echo("|---|---|---|---|---|---|---|")
    for experiment in experiments:
        one = validated(experiment, asked.seconds, asked.runs)
        click.echo(row(one))
        yield one


def _load(asked: Validation, target: str) -> Experiment:
    from raysim.cli.request import Request

    cluster: dict[str, Any] = {"nodes": asked.nodes, "cpus": asked.cpus}
    request = Request(target=target, network=asked.network, policy=asked.policy, **cluster)
    return request.load()


def row(one: Validated) -> str:
    """Of the table. The spread is that of the real runs."""
    real = f"{one.real_s:.3f} (+-{one.spread / 2:.1%})"
    return (
        f"| {one.name} | {one.tasks} | x{one.time_scale:.3g} | {one.simulated_s:.3f} | {real} "
        f"| {one.error:+.1%} | {one.task_time_error:.1%} |"
    )


def plain(one: Validated) -> dict[str, object]:
    """For the JSON file."""
    return {
        "name": one.name,
        "tasks": one.tasks,
        "time_scale": one.time_scale,
        "simulated_makespan_s": one.simulated_s,
        "real_makespans_s": list(one.measured_s),
        "makespan_error": one.error,
        "task_time_error": one.task_time_error,
    }
