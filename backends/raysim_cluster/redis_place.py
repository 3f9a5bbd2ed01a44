"""Which Redis has a head's tables, and who may ask it: by option, variable or file. Never connects.

Names of Ray's and of KubeRay's are read beside ours, of which the first counts.
"""

import os
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

SCHEMES: Final = ("redis", "rediss")

ADDRESS: Final = ("RAYSIM_REDIS_ADDRESS", "RAY_REDIS_ADDRESS")
USERNAME: Final = ("RAYSIM_REDIS_USERNAME", "REDIS_USERNAME")
PASSWORD: Final = ("RAYSIM_REDIS_PASSWORD", "REDIS_PASSWORD")
PASSWORD_PATH: Final = ("RAYSIM_REDIS_PASSWORD_PATH",)
NAMESPACE: Final = ("RAYSIM_EXTERNAL_STORAGE_NAMESPACE", "RAY_external_storage_namespace")
CA_CERT: Final = ("RAYSIM_REDIS_CA_CERT", "RAY_REDIS_CA_CERT")
CLIENT_CERT: Final = ("RAYSIM_REDIS_CLIENT_CERT", "RAY_REDIS_CLIENT_CERT")
CLIENT_KEY: Final = ("RAYSIM_REDIS_CLIENT_KEY", "RAY_REDIS_CLIENT_KEY")

SECRETS: Final = (*ADDRESS, *PASSWORD)
"""Variables that may hold the password: not handed on to nodes and workers."""

_DEFAULT_PORT: Final = 6379
_DEFAULT_NAMESPACE: Final = "default"
"""Ray's."""
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


class RedisPlace(msgspec.Struct, frozen=True):
    """A namespace of a Redis. Of paths, an empty one names nothing."""

    host: str
    port: int
    db: int
    namespace: str
    username: str = ""
    password: str = ""
    tls: bool = False
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""
    holder: str = ""
    """Which head asks, once it has taken the namespace."""

    def __str__(self) -> str:
        """For people: who may ask it stands nowhere."""
        scheme = SCHEMES[self.tls]
        return f"{scheme}://{self.host}:{self.port}/{self.db}, namespace {self.namespace}"

    def __repr__(self) -> str:
        return f"RedisPlace({str(self)!r})"

    def key(self, name: str) -> str:
        return f"raysim:{{{self.namespace}}}:{name}"


def is_redis(storage: str) -> bool:
    return storage.partition("://")[0] in SCHEMES


def named_storage(environment: Mapping[str, str] = os.environ) -> str:
    """What stands for `--storage` where that is not said; empty: nothing."""
    address = _first(environment, ADDRESS)
    return address if not address or "://" in address else f"redis://{address}"


def redis_place(
    storage: str, plaintext: bool, environment: Mapping[str, str] = os.environ
) -> RedisPlace:
    """Of a `redis://[user[:password]@]host[:port][/db]`. `plaintext`: it may be reached through a network without TLS.

    Raises ValueError for what is no such address, for a namespace that is no name, for a file of a password that is
    not there or that others may read; it never says what stands for the password.
    """
    try:
        parts = urlsplit(storage)
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORT
        db = int(parts.path.strip("/") or 0)
    except ValueError:
        host, port, db = "", 0, -1
    if not is_redis(storage) or not host or db < 0 or parts.query or parts.fragment:
        raise ValueError(
            "The address of Redis is written as redis://host:port/db, or rediss:// with TLS; this one is not."
        )
    tls = parts.scheme == "rediss"
    if not (tls or plaintext or _is_here(host)):
        raise ValueError(
            f"The Redis at {host}:{port} is another machine's, and what is said to it is not encrypted. Use rediss://, "
            "or, where nobody else is on that network, say --allow-plaintext."
        )
    namespace = _first(environment, NAMESPACE) or _DEFAULT_NAMESPACE
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(
            f"The namespace {namespace!r} of {NAMESPACE[0]} is no name. Take letters, digits, '.', '_' and '-', at "
            "most 100."
        )
    return RedisPlace(
        host=host,
        port=port,
        db=db,
        namespace=namespace,
        username=unquote(parts.username or "") or _first(environment, USERNAME),
        password=unquote(parts.password or "") or _password(environment),
        tls=tls,
        ca_cert=_path(environment, CA_CERT),
        client_cert=_path(environment, CLIENT_CERT),
        client_key=_path(environment, CLIENT_KEY),
    )


def _is_here(host: str) -> bool:
    """A name counts as where it leads now."""
    import ipaddress  # Processes that only carry a place have no use for it.

    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except OSError as error:
        raise ValueError(f"Nobody knows where the Redis {host!r} is: {error}.") from error


def _password(environment: Mapping[str, str]) -> str:
    if password := _first(environment, PASSWORD):
        return password
    path = _path(environment, PASSWORD_PATH)
    if not path:
        return ""
    try:
        mode = os.stat(path).st_mode
        password = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"The file {path} of {PASSWORD_PATH[0]}: {error.strerror}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"Others than you may use the file {path}. Run: chmod 600 {path}")
    if not password:
        raise ValueError(f"The file {path} of {PASSWORD_PATH[0]} is empty.")
    return password


def _path(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    found = _first(environment, names)
    return os.path.abspath(os.path.expanduser(found)) if found else ""


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name, "").strip())), "")
