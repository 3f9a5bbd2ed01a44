"""`raysim job`: its commands and options, for jobs of clusters that run. Never what they do: see job.

Exit codes: 0 well; 1 no such cluster or job, or the job that was waited for did not succeed; 2 bad input; 130 Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from raysim.cli.nearest import NearestGroup
from raysim.cli.state_options import output

_Command = TypeVar("_Command", bound=Callable[..., Any])

_number = click.FloatRange(min=0)
_id = click.argument("job_id", metavar="ID")


def _where(command: _Command) -> _Command:
    """Which cluster, and how one comes there. Ray's names."""
    for add in reversed(
        [
            click.option(
                "--address",
                default=None,
                metavar="URL",
                help="https://HOST:8265 of a head's dashboard (http:// without TLS), or HOST:PORT of a cluster with a "
                "node here. Default: RAYSIM_DASHBOARD_ADDRESS, RAY_API_SERVER_ADDRESS, or the cluster here.",
            ),
            click.option(
                "--verify",
                default="true",
                show_default=True,
                metavar="FILE",
                help="Over HTTPS: the authorities that are trusted, a file or a folder. true: the system's, and "
                "that of RAYSIM_TLS_CA_CERT; false: any.",
            ),
            click.option(
                "--headers",
                envvar=["RAYSIM_JOB_HEADERS", "RAY_JOB_HEADERS"],
                metavar="JSON",
                help='Of each request: \'{"X-Of": "me"}\'. Default: RAYSIM_JOB_HEADERS, RAY_JOB_HEADERS.',
            ),
        ]
    ):
        command = add(command)
    return command


@click.group("job", cls=NearestGroup)
def job() -> None:
    """Hand a program to a cluster, which runs it without you; follow it, stop it.

    \b
    raysim job submit --working-dir . -- python app.py
    """


def _of_entrypoint(command: _Command) -> _Command:
    for add in reversed(
        [
            click.option(
                "--working-dir",
                metavar="DIR",
                help="A folder or an archive, which is uploaded, or a URI: where the entrypoint runs.",
            ),
            click.option(
                "--runtime-env",
                type=click.Path(dir_okay=False, exists=True, path_type=Path),
                metavar="FILE",
                help="A runtime environment, as YAML.",
            ),
            click.option("--runtime-env-json", metavar="JSON", help="A runtime environment."),
            click.option("--submission-id", metavar="ID", help="Default: a new one."),
            click.option("--metadata-json", metavar="JSON", help='Such as \'{"owner": "me"}\'.'),
            click.option(
                "--priority",
                type=int,
                metavar="N",
                help="Of its tasks, under `raysim start --queue priority`; higher comes first. Default 0.",
            ),
            click.option(
                "--quota",
                multiple=True,
                metavar="NAME=N",
                help="At most so much of a resource at once: CPU=4, memory=8GiB. What is more waits. Repeatable.",
            ),
            click.option("--entrypoint-num-cpus", type=_number, metavar="N"),
            click.option("--entrypoint-num-gpus", type=_number, metavar="N"),
            click.option("--entrypoint-memory", metavar="SIZE", help="8GiB, or bytes."),
            click.option("--entrypoint-resources", metavar="JSON", help="Others: '{\"disk\": 2}'."),
        ]
    ):
        command = add(command)
    return command


@job.command("submit")
@_of_entrypoint
@click.option("--no-wait", is_flag=True, help="Say its id, and do not follow its log.")
@_where
@click.argument("entrypoint", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
def submit(entrypoint: tuple[str, ...], no_wait: bool, **asked: Any) -> int:
    """Run COMMAND on the cluster, in a shell, and follow its log until it has ended; exit code 1 if it failed.

    It runs on the head's node, or, where it asks for resources, on one that has them. Ctrl-C ends the following, not
    the job.

    \b
    raysim job submit -- python -c 'import raysim; raysim.init(); print(raysim.nodes())'
    raysim job submit --working-dir . --no-wait --submission-id nightly -- python app.py --all
    raysim job submit --quota CPU=4 --quota GPU=1 --priority 10 -- python train.py
    """
    from raysim.cli.job import submit_command

    return submit_command(entrypoint, no_wait, asked)


@job.command("status")
@_id
@_where
def status(job_id: str, **where: str | None) -> int:
    """Show what has become of a job.

    \b
    raysim job status nightly
    """
    from raysim.cli.job import status_command

    return status_command(job_id, where)


@job.command("logs")
@_id
@click.option("--follow", "-f", is_flag=True, help="And what it prints until it has ended.")
@_where
def logs(job_id: str, follow: bool, **where: str | None) -> int:
    """Print what the entrypoint of a job has printed: the last 32 to 64 MiB.

    \b
    raysim job logs nightly --follow
    """
    from raysim.cli.job import logs_command

    return logs_command(job_id, follow, where)


@job.command("stop")
@_id
@click.option("--no-wait", is_flag=True, help="Do not wait until it has ended.")
@_where
def stop(job_id: str, no_wait: bool, **where: str | None) -> int:
    """End a job: SIGTERM to its processes, and SIGKILL after 3 s (RAY_JOB_STOP_WAIT_TIME_S of its environment).

    \b
    raysim job stop nightly
    """
    from raysim.cli.job import stop_command

    return stop_command(job_id, no_wait, where)


@job.command("list")
@output("table")
@_where
def list_(output: str, **where: str | None) -> int:
    """List jobs, and programs that were started by hand.

    \b
    raysim job list --format json
    """
    from raysim.cli.job import list_command

    return list_command(output, where)


@job.command("delete")
@_id
@_where
def delete(job_id: str, **where: str | None) -> int:
    """Forget a job that has ended, with its log.

    \b
    raysim job delete nightly
    """
    from raysim.cli.job import delete_command

    return delete_command(job_id, where)
