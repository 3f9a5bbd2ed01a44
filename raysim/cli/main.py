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
from raysim.cli.actions import kill_actor, stack, timeline
from raysim.cli.jobs import job
from raysim.cli.looking import explain, report
from raysim.cli.measuring import bench, calibrate, compare, validate
from raysim.cli.nearest import NearestGroup
from raysim.cli.nodes import doctor, drain, start, status, stop
from raysim.cli.opening import dashboard
from raysim.cli.request import SIMULATOR, Request
from raysim.cli.searching import diff, hunt, replay, shrink, why
from raysim.cli.state_options import get, list_, logs, memory, summary
from raysim.cli.tls import tls

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


@click.group(
    cls=NearestGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 well; 1 it went wrong, or a program's own code; 2 bad input; 130 Ctrl-C.",
)
@click.version_option(raysim.__version__, message="raysim %(version)s")
def cli() -> None:
    """Run Ray Core programs, workflows and scenarios: simulated, or on real processes."""


for _command in (
    *(report, explain, compare, bench, calibrate, validate),
    *(hunt, replay, shrink, why, diff),
    *(start, stop, drain, status, doctor, tls, list_, get, summary, memory, logs, job),
    *(timeline, stack, kill_actor),
    *(dashboard,),
):
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
                "--eviction",
                metavar="ORDER",
                help="Which object leaves a full store first: lru, gdsf, largest_first, mine.py:Class ...",
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

    \b
    raysim check-determinism scenarios/quickstart.yaml --seeds 3
    """
    from raysim.cli.determinism import check

    return check(Request(**asked), seeds)
