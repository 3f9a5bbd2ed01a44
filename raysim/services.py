"""The port for clusters that outlive a driver: nodes that are started and stopped by hand. Never one of them."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from raysim.backend import NodeOptions, load
from raysim.config import Config


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a cluster that outlives its drivers."""

    node: NodeOptions
    address: str | None = None
    """`host:port` of the head that it joins; None: it is the head of a new cluster."""
    host: str = "127.0.0.1"
    """Where it listens."""
    port: int = 0
    """Of the head; 0: any."""
    plaintext: bool = False
    """It may listen beyond this machine, though nothing is encrypted yet."""
    config: Config = Config()
    """The head's is the cluster's."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that nodes need of this machine."""

    check: str
    verdict: Literal["ok", "note", "wrong"]
    """note: nodes run all the same; wrong: they do not, or lose what they are given."""
    found: str
    remedy: str = ""


class Service(Protocol):
    """A node that runs: this process looks after it, and it ends with this process."""

    address: str
    """`host:port` of the cluster's head."""
    node_id: str
    """In hex."""
    folder: str
    """Of its logs."""
    token_file: str
    """Where the cluster's token stands; empty: in the environment."""

    def run(self) -> str | None:
        """Until the node has ended: why, in words. None: `end` was called. Leaves nothing behind."""

    def end(self) -> None:
        """Have `run` return. From a signal handler or another thread."""


class Services(Protocol):
    """Such nodes of this user on this machine."""

    def start(self, options: ServiceOptions) -> Service:
        """Raises ValueError for what is refused, ConnectionError where there is no head to join, AuthenticationError
        without its token, RuntimeError where the node does not start."""

    def stop(self, grace_s: float) -> int:
        """End all of them, by force after so many seconds each; how many there were."""

    def examine(self, address: str | None, port: int) -> list[Finding]:
        """This machine, for a node of the cluster at `host:port`, or for a head with this port."""

    def address(self) -> str | None:
        """Of the cluster whose node was started last."""


def load_services(name: str) -> Services:
    """Of a backend: `services` beside its `create`. Raises BackendMissingError; ValueError for one without."""
    import sys

    create: Callable[..., object] = load(name)
    package = sys.modules[create.__module__.partition(".")[0]]
    services: Services | None = getattr(package, "services", None)
    if services is None:
        raise ValueError(f"The backend {name!r} has no clusters that outlive a driver.")
    return services
