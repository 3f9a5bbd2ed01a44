"""The commands `raysim compare`, `bench`, `calibrate` and `validate`: their options. Never does the work of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from raysim.cli.seeds import FIRST, JOBS


@click.command()
@click.argument("one", type=click.Path(exists=True, path_type=Path))
@click.argument("other", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--output-format",
    type=click.Choice(["markdown", "csv", "json"]),
    default="markdown",
    show_default=True,
)
@click.option("--all", "everything", is_flag=True, help="Also figures that show no difference.")
def compare(one: Path, other: Path, output_format: str, everything: bool) -> int:
    """Show in which figures ONE and OTHER differ: two runs, two sweeps or folders of runs, or two `bench policies`.

    \b
    raysim compare runs/quickstart runs/with-faults
    raysim compare runs/bench-policies runs/bench-policies-of-yesterday
    """
    from raysim.cli.compare import compare_saved

    return compare_saved(one, other, output_format, everything)


@click.group()
def bench() -> None:
    """Compare policies over many seeds of a scenario."""


@bench.command("policies")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="POLICY",
    help="A placement policy, an order of the queue, or both as 'best_fit + sjf'; the first one is the baseline. "
    "Repeatable.",
)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="ORDER",
    help="An order of the queue, under each --policy; alone, under the scenario's. Repeatable.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=5),
    default=20,
    show_default=True,
    metavar="N",
    help="Of each policy; fewer than five tell no spread.",
)
@FIRST
@JOBS
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="TEXT",
    help="What is compared, such as 'p99(task_wait)'; several are, unless one is named. Repeatable.",
)
@click.option(
    "--warm-up",
    default="0",
    metavar="10m",
    help="Do not count tasks that came before, in measures of tasks.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/bench-policies"),
    show_default=True,
    metavar="DIR",
    help="Leave comparison.{md,csv,json,tex,html} here.",
)
def bench_policies(jobs: int, out: Path, **asked: Any) -> int:
    """Run SCENARIOs on the simulator under each policy and seed; print the differences with their intervals.

    \b
    raysim bench policies scenarios/shared-cluster.yaml --policy hybrid --policy best_fit --policy 'power_of_d(d=3)'
    raysim bench policies scenarios/wide-and-narrow.yaml --queue fcfs --queue easy --queue conservative
    """
    from raysim.cli.bench import bench_policies, plan_of

    return bench_policies(plan_of(**asked), jobs, out)


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("machine.yaml"),
    show_default=True,
    metavar="FILE",
    help="Where the costs go, as a part of a scenario.",
)
def calibrate(out: Path) -> int:
    """Measure what messages, calls, starts and transfers cost on this machine, for the simulator.

    Takes about a minute, in which nothing else should run.

    \b
    raysim calibrate
    raysim run scenarios/fidelity/fan-out.yaml --network machine.yaml
    """
    from raysim.cli.fidelity import calibrate_command

    return calibrate_command(out)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--nodes", type=click.IntRange(min=1), metavar="N", help="Nodes, all alike.")
@click.option("--cpus", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Of each.")
@click.option("--network", metavar="FILE", help="What `raysim calibrate` wrote.")
@click.option("--policy", metavar="POLICY", help="As for `raysim run`.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="S",
    help="A longer workflow's durations are scaled down to about so long.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Real ones.",
)
@click.option(
    "--median",
    "median_percent",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="PERCENT",
    help="Bound of the median error of makespans.",
)
@click.option(
    "--worst",
    "worst_percent",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="PERCENT",
    help="Bound of the largest.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="As JSON, too."
)
def validate(**asked: Any) -> int:
    """Run each TARGET simulated and on real processes, and say how far apart they are; exit 1 beyond the bounds.

    \b
    raysim validate scenarios/fidelity/*.yaml --network machine.yaml
    raysim validate workflow.json --nodes 2 --cpus 4 --network machine.yaml
    """
    from raysim.cli.fidelity import Validation, validate_command

    return validate_command(Validation(**asked))
