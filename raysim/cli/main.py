"""The command `raysim`: its commands, options and exit codes. Never does the work of one.

Exit codes: 0 well, 1 the run went wrong (or a program's own code), 2 bad input, 130 interrupted.
What a command needs is imported when it runs: `raysim --help` loads click and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

import raysim
from raysim.cli.request import SIMULATOR, Request

INTERRUPTED: Final = 130
"""As a shell shows it: 128 + SIGINT."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def main() -> None:
    """The entry point of the command `raysim`, and of `python -m raysim`."""
    sys.exit(run_command(sys.argv[1:]))


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


def _what_to_run(command: _Command) -> _Command:
    """The arguments that say what runs, and on what cluster."""
    for add in reversed(
        [
            click.argument("target"),
            click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS]..."),
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
                "--network", metavar="lan|free", help="free: messages and transfers cost no time."
            ),
            click.option("--policy", metavar="hybrid|spread", help="Where tasks go."),
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
    help="Real backends, workflows: durations times X; times are reported divided by X.",
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
def run(out: Path | None, no_out: bool, as_json: bool, trace: Path | None, **asked: Any) -> int:
    """Run TARGET: a scenario (.yaml), a Python program (.py), or a workflow in WfFormat (.json).

    \b
    raysim run scenarios/quickstart.yaml
    raysim run app.py --backend cluster -- --app-option
    raysim run workflow.json --nodes 4 --cpus 8 --fault 'kill_node(at=33%)'
    """
    from raysim.cli.run import Output, run_request

    return run_request(Request(**asked), Output(out, no_out, as_json, trace))


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
