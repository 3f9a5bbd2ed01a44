"""`raysim timeline`, `stack`, `kill-actor`: their options, for clusters that run. Never what they do: see acts.

Exit codes: 0 well; 1 no such cluster or thing, or no answer; 2 bad input.
"""

from __future__ import annotations

from pathlib import Path

import click

from raysim.cli.state_options import address


@click.command("timeline")
@click.option(
    "--output",
    "-o",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("timeline.json"),
    show_default=True,
    metavar="FILE",
)
@address
def timeline(file: Path, address: str) -> int:
    """Write what ran when and where, who submitted it, and which objects moved, for https://ui.perfetto.dev or
    chrome://tracing. What took less than 0.5 ms and moved less than 100 KiB is left out.

    \b
    raysim timeline -o cluster.json
    """
    from raysim.cli.acts import timeline_command

    return timeline_command(file, address)


@click.command("stack")
@click.option("--worker", default="", metavar="ID", help="Of this worker or driver only.")
@address
def stack(worker: str, address: str) -> int:
    """Show what the threads of workers and drivers on this machine are doing: by py-spy, where it is installed; else
    workers write it themselves.

    \b
    raysim stack
    raysim stack --worker 3f2a
    """
    from raysim.cli.acts import stack_command

    return stack_command(worker, address)


@click.command("kill-actor")
@click.argument("actor", metavar="NAME|ID")
@click.option(
    "--namespace", default="", metavar="NAMESPACE", help="Of the name, where several have it."
)
@click.option("--no-restart", is_flag=True, help="For good, though it has restarts left.")
@address
def kill_actor(actor: str, namespace: str, no_restart: bool, address: str) -> int:
    """End the process of an actor at once. ID: its beginning will do.

    \b
    raysim kill-actor counter --namespace shop
    raysim kill-actor 2002722e --no-restart
    """
    from raysim.cli.acts import kill_actor_command

    return kill_actor_command(actor, namespace, no_restart, address)
