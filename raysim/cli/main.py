"""The command `raysim`: its commands, options and exit codes. Never does the work of one.

Exit codes: 0 well, 1 the run went wrong (or a program's own code), 2 bad input, 130 interrupted.
What a command needs is imported when it runs: `raysim --help` loads click and nothing else.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

import raysim
from raysim.cli.looking import explain, report
from raysim.cli.nodes import doctor, start, status, stop
from raysim.cli.request import SIMULATOR, Request
from raysim.cli.state_options import get, list_, logs, memory, summary

INTERRUPTED: Final = 130
"""As a shell shows it: 128 + SIGINT."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def main() -> None:
    """The entry point of the command `raysim`, and of `python -m raysim`."""
    status = run_command(sys.argv[1:])
    gc.freeze()  # Or the interpreter looks through what is left of a large world before it ends: for seconds.
    sys.exit(status)


def run_command(args: list[str]) -> int:
    """Run the command in these arguments; its exit code. Prints what is wrong on standard error."""
    try:
        return int(cli.main(args, prog_name="raysim", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(raysim.__version__, message="raysim %(version)s")
def cli() -> None:
    """Run Ray Core programs, workflows and scenarios: simulated, or on real processes."""


for _command in (start, stop, status, doctor, list_, get, summary, memory, logs):
    cli.add_command(_command)


def _what_to_run(command: _Command) -> _Command:
    """The arguments that say what runs, and on what cluster."""
    for add in reversed(
        [
            click.argument("target"),
            click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS]..."),
            click.option(
                "--case",
                default="",
                metavar="NAME",
                help="Of a scenario that sweeps, only this run.",
            ),
            click.option(
                "--nodes", type=click.IntRange(min=1), metavar="N", help="Nodes, all alike."
            ),
            click.option(
                "--cpus",
                type=click.FloatRange(min=0, min_open=True),
                metavar="N",
                help="Cores of each node. Default 4, with --nodes.",
            ),
            click.option("--seed", type=int, metavar="N", help="Of every random choice."),
            click.option(
                "--network",
                metavar="lan|free|FILE",
                help="free: messages and transfers cost no time. FILE: from `raysim calibrate`.",
            ),
            click.option(
                "--policy",
                metavar="POLICY",
                help="Where tasks go: hybrid, spread, best_fit, 'power_of_d(d=3)', mine.py:Class ...",
            ),
            click.option(
                "--queue",
                metavar="ORDER",
                help="Whose turn it is: fifo, sjf, easy, drf, 'priority(preempt=true)', mine.py:Class ...",
            ),
            click.option(
                "--fault",
                "faults",
                multiple=True,
                metavar="FAULT",
                help="What goes wrong: 'kill_node(at=5s)', 'kill_worker(at=33%, node=2)'. Repeatable.",
            ),
        ]
    ):
        command = add(command)
    return command


@cli.command()
@_what_to_run
@click.option(
    "--backend",
    default=SIMULATOR,
    show_default=True,
    metavar="NAME",
    help="The world to run in: sim, cluster.",
)
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    metavar="X",
    help="Workflows and tasks: durations times X; times are reported divided by X.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Leave the run's folder here. Default: runs/NAME for a scenario, none for other targets.",
)
@click.option("--no-out", is_flag=True, help="Leave no folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one line of JSON.")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every message, timer and note of the run here.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a scenario here whose workload is that of this run, as it went.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="J",
    help="Processes, for a sweep or a folder.",
)
def run(
    out: Path | None,
    no_out: bool,
    as_json: bool,
    trace: Path | None,
    record: Path | None,
    jobs: int,
    **asked: Any,
) -> int:
    """Run TARGET: a scenario (.yaml), a program (.py), a workflow in WfFormat (.json), or all scenarios in a folder.

    \b
    raysim run scenarios/quickstart.yaml
    raysim run scenarios --jobs 2
    raysim run app.py --backend cluster --record recorded.yaml
    raysim run app.py --backend cluster -- --app-option
    raysim run workflow.json --nodes 4 --cpus 8 --fault 'kill_node(at=33%)'
    """
    from raysim.cli.run import Output, run_request

    return run_request(Request(**asked), Output(out, no_out, as_json, trace, record), jobs)


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--output-format",
    type=click.Choice(["concise", "json", "github"]),
    default="concise",
    show_default=True,
    help="github: as annotations of a workflow there.",
)
def check(files: tuple[str, ...], output_format: str) -> int:
    """Look for mistakes in scenarios, workflows and the files that they name; exit code 2 if there are any.

    \b
    raysim check scenarios/*.yaml
    """
    from raysim.cli.check import check_files

    return check_files(files, output_format)


@cli.command()
def schema() -> int:
    """Print the JSON Schema of scenario files, for editors.

    \b
    raysim schema > scenario.schema.json
    and at the head of a scenario: # yaml-language-server: $schema=scenario.schema.json
    """
    from raysim.cli.check import print_schema

    return print_schema()


@cli.command("check-determinism")
@_what_to_run
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many seeds, from --seed (or the scenario's) on.",
)
def check_determinism(seeds: int, **asked: Any) -> int:
    """Run TARGET twice for each seed, in fresh processes with different PYTHONHASHSEED, on sim.

    Exits 1 with the first event that differs.
    """
    from raysim.cli.determinism import check

    return check(Request(**asked), seeds)


_first = click.option(
    "--first", type=int, default=0, show_default=True, metavar="N", help="The first seed."
)
_jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="J",
    help="Processes.",
)


@cli.command()
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


@cli.group()
def bench() -> None:
    """Compare placement policies over many seeds of a scenario."""


@bench.command("policies")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    required=True,
    metavar="POLICY",
    help="As for `raysim run`; the first one is the baseline. Repeatable.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=5),
    default=20,
    show_default=True,
    metavar="N",
    help="Of each policy; fewer than five tell no spread.",
)
@_first
@_jobs
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
    """
    from raysim.cli.bench import bench_policies, plan_of

    return bench_policies(plan_of(**asked), jobs, out)


@cli.command()
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


@cli.command()
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


@cli.command()
@click.argument("target", required=False, default="")
@click.option("--seeds", type=click.IntRange(min=1), default=1_000, show_default=True, metavar="N")
@_first
@_jobs
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


@cli.command()
@_failure
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every message, timer and note of the run here.",
)
def replay(failure: Path, trace: Path | None) -> int:
    """Run FAILURE, a file that hunt or shrink left, again; exit 1 when it fails again."""
    from raysim.cli.replay import replay_command

    return replay_command(failure, trace)


@cli.command()
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
    """Make FAILURE smaller: fewer faults, operations, nodes and choices that fail in the same way."""
    from raysim.cli.replay import shrink_command

    return shrink_command(failure, _seconds(time_), out)


@cli.command()
@_failure
@click.argument("event", required=False, default="")
def why(failure: Path, event: str) -> int:
    """Tell what led to EVENT of FAILURE's run, back to its beginning.

    EVENT: the number of a record, or a text that the record has (the last such one counts).
    """
    from raysim.cli.why import why_command

    return why_command(failure, event)


@cli.command()
@click.argument("one", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.argument("other", type=click.Path(dir_okay=False, exists=True, path_type=Path))
def diff(one: Path, other: Path) -> int:
    """Show the first event in which the runs of two failures differ."""
    from raysim.cli.why import diff_command

    return diff_command(one, other)


cli.add_command(report)
cli.add_command(explain)
