"""`raysim list`, `get`, `summary`, `memory`, `logs`: their options, for clusters that run. Never what they do.

Exit codes: 0 well; 1 no such cluster or thing, or no answer; 2 bad input; 130 ended by Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_COUNTED: Final = ("actors", "objects", "tasks")
_WITH_ID: Final = ("actors", "jobs", "nodes", "objects", "placement-groups", "tasks", "workers")
_LISTED: Final = (*_WITH_ID, "runtime-envs", "cluster-events")


def _resource(words: Sequence[str]) -> Callable[[_Command], _Command]:
    """One of these, in the plural or the singular; it comes as `StateResource` writes it."""

    def checked(ctx: click.Context, param: click.Parameter, value: str) -> str:
        word = value.lower().replace("_", "-")
        for known in words:
            if word in (known, known.removesuffix("s")):
                return known.replace("-", "_")
        close = get_close_matches(word, words, n=1)
        near = f"; did you mean {close[0]}?" if close else "."
        raise click.BadParameter(f"{value!r} is none of {', '.join(words)}{near}", ctx, param)

    return click.argument("resource", callback=checked)


address = click.option(
    "--address", default="auto", show_default=True, metavar="HOST:PORT", help="Of the cluster."
)
watch = click.option(
    "--watch",
    "watch_s",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Again and again, every 2 seconds, until Ctrl-C.",
)


def output(default: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--format",
        "output",
        type=click.Choice(["table", "json", "yaml"]),
        default=default,
        show_default=True,
    )


@click.command("list")
@_resource(_LISTED)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only those; or KEY!=VALUE. Before the limit. Repeatable: all have to hold.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, metavar="N"
)
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Leave out N.")
@click.option("--detail", is_flag=True, help="All columns.")
@click.option("--columns", default="", metavar="A,B,...", help="Only these.")
@output("table")
@watch
@address
def list_(resource: str, address: str, watch_s: float | None, **asked: Any) -> int:
    """List RESOURCE of a cluster that runs: actors, cluster-events, jobs, nodes, objects, placement-groups,
    runtime-envs, tasks or workers.

    \b
    raysim list nodes
    raysim list tasks --filter state=RUNNING --columns task_id,name,node_id --watch
    raysim list actors --filter state!=DEAD --detail --format yaml
    """
    from raysim.cli.state import Asked, list_command
    from raysim.util.state.options import StateResource

    return list_command(Asked(StateResource(resource), **asked), address, watch_s)


@click.command("get")
@_resource(_WITH_ID)
@click.argument("identity", metavar="ID")
@output("yaml")
@watch
@address
def get(resource: str, identity: str, output: str, watch_s: float | None, address: str) -> int:
    """Show all of one RESOURCE: actor, job, node, object, placement-group, task or worker. ID: its beginning will do.

    \b
    raysim get node 3f2a --watch
    raysim get task 16310a0f0a45af5cffffffffffffffffffffffff01000000 --format json
    """
    from raysim.cli.state import get_command
    from raysim.util.state.options import StateResource

    return get_command(StateResource(resource), identity, address, output, watch_s)


@click.command("summary")
@_resource(_COUNTED)
@output("table")
@watch
@address
def summary(resource: str, output: str, watch_s: float | None, address: str) -> int:
    """Count tasks by name and state, actors by class, or objects by call site.

    \b
    raysim summary tasks
    raysim summary actors --watch 5
    """
    from raysim.cli.state import summary_command
    from raysim.util.state.options import SummaryResource

    return summary_command(SummaryResource(resource), address, output, watch_s)


@click.command("memory")
@click.option(
    "--group-by",
    type=click.Choice(["owner", "node", "call-site", "reference"]),
    default="owner",
    show_default=True,
    help="owner: the process that has a reference; reference: what it is for.",
)
@click.option(
    "--sort-by",
    type=click.Choice(["size", "pid", "reference"]),
    default="size",
    show_default=True,
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N")
@output("table")
@watch
@address
def memory(address: str, watch_s: float | None, **asked: Any) -> int:
    """Show which references keep objects alive, who has them, and what the stores of nodes hold.

    \b
    raysim memory --watch
    raysim memory --group-by reference --limit 100
    """
    from raysim.cli.memory import MemoryAsked, memory_command

    return memory_command(MemoryAsked(**asked), address, watch_s)


@click.command("logs")
@click.argument("pattern", required=False, default="", metavar="[NAME]")
@click.argument("glob", required=False, default="", metavar="")
@click.option("--node-id", default="", metavar="ID", help="Of this node only.")
@click.option("--node-ip", default="", metavar="IP", help="Of the nodes with this address only.")
@click.option("--actor", default="", metavar="ID", help="What the process of this actor prints.")
@click.option("--task", default="", metavar="ID", help="What the worker of this task prints.")
@click.option("--worker", default="", metavar="ID", help="What this worker prints.")
@click.option(
    "--pid", type=click.IntRange(min=1), metavar="PID", help="What the worker with this pid prints."
)
@click.option(
    "--id",
    "identity",
    default="",
    metavar="ID",
    help="With actor, task or worker as NAME, as Ray has it.",
)
@click.option("--err", "errors", is_flag=True, help="Its standard error, not its standard output.")
@click.option("--tail", type=click.IntRange(min=0), default=1_000, show_default=True, metavar="N")
@click.option("--follow", "-f", is_flag=True, help="And what is added, until Ctrl-C.")
@output("table")
@address
def logs(address: str, output: str, **asked: Any) -> int:
    """List the log files of all nodes; or print the one called NAME (* and ? stand for any text), or that of an actor,
    a task or a worker, on whichever node it is. The beginning of an ID will do. Ray's forms are understood, too: `logs
    cluster [NAME]`, `logs actor|task --id ID`, `logs worker --pid PID`.

    \b
    raysim logs
    raysim logs 'node-*.log' --node-ip 127.0.0.2 --tail 50
    raysim logs --actor 2002722e --err --follow
    raysim logs worker --pid 4711 --node-id 3f2a
    """
    from raysim.cli.logs import LogAsked, logs_command

    return logs_command(LogAsked(**asked), address, output)
