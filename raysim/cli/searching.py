"""The commands `raysim hunt`, `replay`, `shrink`, `why` and `diff`: their options. Never does the work of one."""

from __future__ import annotations

from pathlib import Path

import click

from raysim.cli.seeds import FIRST, JOBS


@click.command()
@click.argument("target", required=False, default="")
@click.option("--seeds", type=click.IntRange(min=1), default=1_000, show_default=True, metavar="N")
@FIRST
@JOBS
@click.option("--time", "time_", metavar="10m", help="Start no more seeds after so long.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Leave failures and progress here. Default: runs/hunt.",
)
@click.option("--resume", is_flag=True, help="Go on where a hunt in this folder broke off.")
@click.option("--stop-after", type=click.IntRange(min=1), metavar="N", help="End after N failures.")
def hunt(
    target: str,
    seeds: int,
    first: int,
    jobs: int,
    time_: str | None,
    out: Path | None,
    resume: bool,
    stop_after: int | None,
) -> int:
    """Run TARGET under many seeds, each with a cluster, faults and an order of its own; exit 1 on a failure.

    TARGET: module:function, a file (file.py, file.py:function) with a test marked @raysim.testing.simulate, or
    a scenario (.yaml). Without one: random programs that test raysim itself.

    \b
    raysim hunt --seeds 10000 --jobs 2
    raysim hunt tests/test_bank.py:test_transfer --time 10m
    """
    from raysim.cli.hunt import hunt_command
    from raysim.testing.hunt import HuntOptions

    seconds = None if time_ is None else _seconds(time_)
    folder = out or Path("runs/hunt")
    return hunt_command(
        HuntOptions(target, seeds, first, jobs, seconds, folder, resume, stop_after)
    )


def _seconds(text: str) -> float:
    from raysim.spec.units import parse_duration

    try:
        return parse_duration(text) / 1e9
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--time") from error


_failure = click.argument("failure", type=click.Path(dir_okay=False, exists=True, path_type=Path))


@click.command()
@_failure
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every message, timer and note of the run here.",
)
def replay(failure: Path, trace: Path | None) -> int:
    """Run FAILURE, a file that hunt or shrink left, again; exit 1 when it fails again.

    \b
    raysim replay failures/17.json
    """
    from raysim.cli.replay import replay_command

    return replay_command(failure, trace)


@click.command()
@_failure
@click.option(
    "--time", "time_", default="1m", show_default=True, metavar="1m", help="At most so long."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Default: beside FAILURE, *.small.json.",
)
def shrink(failure: Path, time_: str, out: Path | None) -> int:
    """Make FAILURE smaller: fewer faults, operations, nodes and choices that fail in the same way.

    \b
    raysim shrink failures/17.json --time 5m
    """
    from raysim.cli.replay import shrink_command

    return shrink_command(failure, _seconds(time_), out)


@click.command()
@_failure
@click.argument("event", required=False, default="")
def why(failure: Path, event: str) -> int:
    """Tell what led to EVENT of FAILURE's run, back to its beginning.

    EVENT: the number of a record, or a text that the record has (the last such one counts).

    \b
    raysim why failures/17.json WorkerLost
    """
    from raysim.cli.why import why_command

    return why_command(failure, event)


@click.command()
@click.argument("one", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.argument("other", type=click.Path(dir_okay=False, exists=True, path_type=Path))
def diff(one: Path, other: Path) -> int:
    """Show the first event in which the runs of two failures differ.

    \b
    raysim diff failures/17.json failures/18.json
    """
    from raysim.cli.why import diff_command

    return diff_command(one, other)
