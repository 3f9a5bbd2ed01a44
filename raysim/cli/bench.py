"""The command `raysim bench policies`: from arguments to a printed table and a folder. Never computes one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raysim.cli.run import BAD_INPUT

if TYPE_CHECKING:
    from raysim.scenario.comparison import Plan


def bench_policies(plan: Plan, jobs: int, out: Path) -> int:
    """0 when all ran; 2 for bad input."""
    from raysim.cli.progress import progress_of
    from raysim.report.comparison import markdown
    from raysim.report.comparison_page import write
    from raysim.scenario.comparison import compare
    from raysim.scenario.problems import ScenarioError

    try:
        with progress_of("runs") as told:
            comparison = compare(plan, jobs, told)
        written = write(comparison, out)
    except ScenarioError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        return BAD_INPUT
    except OSError as error:
        click.echo(f"--out {out}: cannot be written: {error.strerror}", err=True)
        return BAD_INPUT
    click.echo(markdown(comparison))
    click.echo(f"Also as {', '.join(str(path) for path in written)}", err=True)
    return 0


def plan_of(
    scenarios: tuple[str, ...],
    policies: tuple[str, ...],
    queues: tuple[str, ...],
    seeds: int,
    first: int,
    measures: tuple[str, ...],
    warm_up: str,
) -> Plan:
    """As typed. Raises click.BadParameter with what is wrong."""
    from raysim.scenario.comparison import MEASURES, Plan
    from raysim.scenario.contenders import contenders_of
    from raysim.scenario.expression import parse_measure
    from raysim.spec.units import NANOSECONDS, parse_duration

    try:
        contenders = contenders_of(policies, queues, Path.cwd())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--policy, --queue") from error
    if len(set(contenders)) < len(contenders) or len(contenders) < 2:
        raise click.BadParameter("give two or more, each once", param_hint="--policy, --queue")
    for text in measures:
        try:
            parse_measure(text)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--measure") from error
    try:
        warm_up_s = parse_duration(warm_up) / NANOSECONDS["s"]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--warm-up") from error
    assert math.isfinite(warm_up_s)
    return Plan(scenarios, contenders, seeds, first, measures or MEASURES, warm_up_s)
