"""The port for clusters that outlive a driver: nodes that are started and stopped by hand. Never one of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from raysim.backend import NodeOptions, needed, package_of
from raysim.config import Config
from raysim.spec.growth import Growth
from raysim.spec.tls import TlsFiles, WebTls

if TYPE_CHECKING:
    import ssl


SECRETS: Final = (
    *("RAYSIM_AUTH_TOKEN", "RAY_AUTH_TOKEN"),
    *("RAYSIM_REDIS_ADDRESS", "RAY_REDIS_ADDRESS", "RAYSIM_REDIS_PASSWORD", "REDIS_PASSWORD"),
)
"""Variables that hold secrets, or may: who looks at a process of a cluster must not see them."""


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a cluster that outlives its drivers."""

    node: NodeOptions
    address: str | None = None
    """`host:port` of the head that it joins; None: it is the head of a new cluster."""
    host: str = "127.0.0.1"
    """Where it listens."""
    port: int = 0
    """Of the head; 0: any."""
    tls: TlsFiles | None = None
    """What connections between nodes are encrypted with; None: what the environment names, or nothing."""
    plaintext: bool = False
    """It may listen beyond this machine, though nothing is encrypted."""
    storage: str = ""
    """Folder of the head's tables, or `redis://[user@]host[:port][/db]`, or `rediss://...`; empty: the Redis that the
    environment names, or a folder that goes with a head that ends in good order."""
    config: Config = Config()
    """The head's is the cluster's."""
    growth: Growth | None = None
    """Of the head: what its cluster may grow to; None: nodes come and go by hand."""
    node_id: str = ""
    """In hex, of one that a machine was got for; empty: drawn."""


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
    returns: bool
    """Of a head: it goes on with the cluster of one that was killed."""
    token_file: str
    """Where the cluster's token stands; empty: in the environment."""

    has_left: bool
    """Its node has ended because it was drained."""

    def run(self) -> str | None:
        """Until the node has ended: why, in words. None: `end` was called. Leaves nothing behind."""

    def end(self) -> None:
        """Have `run` return. From a signal handler or another thread."""


class Services(Protocol):
    """Such nodes of this user on this machine."""

    def start(self, options: ServiceOptions) -> Service:
        """Raises ValueError for what is refused, ConnectionError where there is no head to join, AuthenticationError
        without its token or with a certificate that does not do, RuntimeError where the node does not start."""

    def stop(self, grace_s: float) -> int:
        """End all of them, by force after so many seconds each; how many there were."""

    def examine(self, address: str | None, port: int) -> list[Finding]:
        """This machine, for a node of the cluster at `host:port`, or for a head with this port."""

    def address(self) -> str | None:
        """Of the cluster whose node was started last."""

    def token(self) -> bytes:
        """Of the clusters that are started here. Raises AuthenticationError where there is none."""

    def tls(self) -> TlsFiles | None:
        """What the environment names for connections between nodes. Raises AuthenticationError for a part of it."""

    def web_server(self, tls: WebTls) -> Callable[[], ssl.SSLContext]:
        """For HTTPS, to be asked for each connection: files that were replaced are read again. Raises
        AuthenticationError for files that do not do."""

    def web_client(self, verify: str | bool | None) -> ssl.SSLContext:
        """For who asks by HTTPS. `verify`: False, the file or folder of the authorities that are trusted, or True: the
        system's, and the cluster's where the environment names it. A certificate that it names is shown where one is
        wanted. Raises AuthenticationError for files that do not do."""


def load_services(name: str) -> Services:
    """Of a backend: `services` beside its `create`. Raises BackendMissingError; ValueError for one without."""
    services = services_of(name, package_of(name))
    if services is None:
        raise ValueError(f"The backend {name!r} has no clusters that outlive a driver.")
    return services


def services_of(name: str, package: str) -> Services | None:
    """Of the backend in this package; None of one without. Raises BackendMissingError."""
    with needed(name):
        services: Services | None = getattr(import_module(package), "services", None)
    return services
