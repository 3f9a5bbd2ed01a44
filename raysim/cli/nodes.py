"""`raysim start`, `stop`, `drain`, `status`, `doctor`: clusters that outlive a program. Never what a node does.

Exit codes: 0 well; 1 no such cluster, its node ended, or something is wrong here; 2 bad input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from raysim.cli.state_options import watch

DEFAULT_PORT: Final = 6379
"""Of a head. Ray: `ray start --port`."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _what_it_has(command: _Command) -> _Command:
    """The options that say what a node offers. Ray's names."""
    number = click.FloatRange(min=0)
    for add in reversed(
        [
            click.option("--num-cpus", type=number, metavar="N", help="Default: this machine's."),
            click.option("--num-gpus", type=number, metavar="N", help="Default 0."),
            click.option("--memory", metavar="SIZE", help="Of its tasks: 8GiB, or bytes."),
            click.option(
                "--object-store-memory", metavar="SIZE", help="Default: 30 % of what is free."
            ),
            click.option("--resources", metavar="JSON", help="Others: '{\"disk\": 2}'."),
            click.option("--labels", metavar="K=V,...", help="Such as region=eu,kind=large."),
            click.option("--node-name", metavar="NAME", help="Default: of the machine."),
        ]
    ):
        command = add(command)
    return command


@click.command()
@click.option("--head", is_flag=True, help="Start a new cluster: this is its first node.")
@click.option("--address", metavar="HOST:PORT", help="Join the cluster of this head.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help=f"Of the head. Default {DEFAULT_PORT}; 0: any.",
)
@click.option(
    "--node-ip-address",
    "host",
    default="127.0.0.1",
    show_default=True,
    metavar="HOST",
    help="Where this node listens.",
)
@click.option(
    "--allow-plaintext",
    "plaintext",
    is_flag=True,
    help="Listen beyond this machine, though nothing is encrypted.",
)
@click.option("--tls-cert", metavar="FILE", help="Of this node: what connects nodes is encrypted.")
@click.option("--tls-key", metavar="FILE", help="Of that certificate.")
@click.option("--tls-ca", metavar="FILE", help="Whose certificates are accepted.")
@_what_it_has
@click.option(
    "--storage",
    metavar="DIR|URL",
    help="Of a head: what it writes down, and finds again: a folder, or redis://host:port/db. Default: until it ends.",
)
@click.option("--system-config", metavar="JSON", help="Of a head: fields of raysim.config.Config.")
@click.option(
    "--policy",
    metavar="POLICY",
    help="Of a head: where tasks go, such as best_fit (docs/policies.md).",
)
@click.option(
    "--queue",
    metavar="ORDER",
    help="Of a head: whose turn it is where tasks wait: fair_share, drf, priority (docs/policies.md). Default: fifo.",
)
@click.option(
    "--autoscaling-config",
    metavar="FILE",
    help="Of a head: which nodes it may start, as Ray's cluster YAML says it (docs/autoscaling.md).",
)
@click.option("--node-id", metavar="HEX", hidden=True)
@click.option(
    "--include-dashboard/--no-dashboard",
    "dashboard",
    default=True,
    show_default=True,
    help="Of a head: pages, API and metrics by HTTP.",
)
@click.option(
    "--dashboard-host",
    default="127.0.0.1",
    show_default=True,
    metavar="HOST",
    help="Where they are.",
)
@click.option(
    "--dashboard-port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Default 8265, or the next that is free; 0: any.",
)
@click.option(
    "--dashboard-client-certs",
    is_flag=True,
    help="With TLS: browsers and clients, too, have to show a certificate of --tls-ca.",
)
@click.option("--block", is_flag=True, help="Stay until the node ends; Ctrl-C ends it.")
def start(**asked: Any) -> int:
    """Start a node on this machine that goes on when programs end: a head, or one that joins.

    \b
    raysim start --head
    raysim start --head --storage rediss://redis.example:6379/0
    raysim start --head --queue fair_share
    raysim start --address 127.0.0.1:6379 --num-cpus 4 --block

    A head that is started where one was killed goes on with its cluster: nodes, named and detached actors, placement
    groups. One that ends in good order leaves nothing but in --storage, for which RAYSIM_REDIS_ADDRESS or
    RAY_REDIS_ADDRESS may stand; docs/operations.md has the other variables of Redis.

    Programs join with init(address="auto"), init(address="HOST:PORT") or RAYSIM_ADDRESS. The token is in
    RAYSIM_AUTH_TOKEN, in the file that RAYSIM_AUTH_TOKEN_PATH names, or in ~/.raysim/auth_token, which a head makes
    (Ray's RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH and ~/.ray/auth_token are read, too). `raysim tls make` makes
    certificates; without the options RAYSIM_TLS_SERVER_CERT, RAYSIM_TLS_SERVER_KEY and RAYSIM_TLS_CA_CERT name them.
    With certificates the dashboard speaks HTTPS.
    """
    from raysim.cli.start import start_command

    return start_command(asked)


@click.command()
@click.option(
    "--grace-period",
    "grace_s",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds until a node that does not end is killed.",
)
@click.option("--force", "-f", is_flag=True, help="Kill them at once.")
def stop(grace_s: float, force: bool) -> int:
    """End all nodes of yours that `raysim start` has started on this machine.

    \b
    raysim stop
    """
    from raysim.cli.start import stop_command

    return stop_command(0.0 if force else grace_s)


@click.command()
@click.argument("node")
@click.option("--reason", default="", metavar="TEXT", help="Shown with the node.")
@click.option(
    "--deadline",
    metavar="5m",
    help="What is left there after so long goes with the node. Default: none.",
)
@click.option("--wait", is_flag=True, help="Until the node is gone.")
@click.option(
    "--address", default="auto", show_default=True, metavar="HOST:PORT", help="Of the cluster."
)
def drain(node: str, reason: str, deadline: str | None, wait: bool, address: str) -> int:
    """Have NODE leave in good order: nothing new is given to it, what it keeps is moved, then it ends.

    \b
    raysim drain worker-2 --reason "a new disk" --deadline 5m --wait
    raysim drain 8f526d337fd1

    NODE is a name or the beginning of an id: see raysim list nodes. Calls that run there may end; actors with
    restarts left and objects are moved. The head cannot be drained: raysim stop ends its cluster.
    """
    from raysim.cli.drain import drain_command

    return drain_command(node, reason, deadline, wait, address)


@click.command()
@click.option(
    "--address", default="auto", show_default=True, metavar="HOST:PORT", help="Of the cluster."
)
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
@watch
def status(address: str, as_json: bool, watch_s: float | None) -> int:
    """Show the nodes of a cluster, what is used of their resources, and what waits for some.

    \b
    raysim status --watch
    raysim status --address 127.0.0.1:6379
    """
    from raysim.cli.status import status_command

    return status_command(address, as_json, watch_s)


@click.command()
@click.option("--address", metavar="HOST:PORT", help="Of a cluster that is to be joined from here.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    metavar="N",
    help="Of a head that is to be started here.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
)
def doctor(address: str | None, port: int, output: str) -> int:
    """Look whether this machine has what nodes need, and say what helps where it has not; exit code 1 if so.

    Versions, nodes that run, the token, the port, limits, memory, disk, clock, and what is left of clusters that ended.

    \b
    raysim doctor
    raysim doctor --address 127.0.0.1:6379
    """
    from raysim.cli.doctor import doctor_command

    return doctor_command(address, port, output)
