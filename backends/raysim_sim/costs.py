"""What things cost in virtual time, each with its unit and its source. Never a model of them: see network."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from raysim.spec.units import parse_bandwidth, parse_duration

NO_LIMIT: Final = 0
"""As a bandwidth: bytes take no time."""


class Costs(msgspec.Struct, frozen=True):
    """Durations in nanoseconds, bandwidths in bytes per second."""

    latency: int = 100_000
    """One way between two nodes. Source: same-rack LAN, 0.1 ms."""

    local_latency: int = 20_000
    """One way between two processes of a node. Source: measured unix-socket round trip, cold, 36 us."""

    bandwidth: int = 1_250_000_000
    """Of a node's link, each way, shared by its transfers; 0: no limit. Source: 10 Gbit/s Ethernet."""

    shared: bool = True
    """Whether objects that move at the same time share a link's bandwidth; else each has all of it."""

    message: int = 0
    """Of a process's time, to send or to read a message that is not about calls. Source: none; `raysim calibrate`
    measures it."""

    call: int = 0
    """Of a process's time, to send or to read of a call that it is pushed, or has ended. Source: as `message`."""

    sleep: int = 0
    """That a sleep takes beyond its time, as synthetic work of `cluster` does. Source: as `message`."""

    worker_start: int = 30_000_000
    """From asking for a worker process to its first message. Source: a fork with the usual imports, 30 ms."""

    worker_start_alone: int = 0
    """Of `worker_start`, that a node spends on no other worker: starts at once take turns. Source: none; cold
    starts wait for the disk and the imports of others, which tests of placement want, and most do not."""

    env_files: int = 150_000_000
    """Of making a runtime environment of files on a node. Source: measured, a process that unzips a few, 0.15 s."""

    env_install: int = 4_000_000_000
    """Of making one with a virtual environment. Source: measured, `venv` and `pip install` of one wheel, 4 s."""

    disk_latency: int = 100_000
    """Of one read or write of a node's disk. Source: data sheets of SSDs, 0.1 ms."""

    disk_bandwidth: int = 500_000_000
    """Of a node's disk, reads and writes together; 0: no limit. Source: data sheets of SATA SSDs, 500 MB/s."""

    poll: int = 50_000
    """Of asking whether something is there without waiting. Source: measured `wait(timeout=0)`, 50 us.
    Never 0: a program that polls in a loop would stop the clock."""


LAN: Final = Costs()
FREE: Final = Costs(
    latency=0,
    local_latency=0,
    bandwidth=NO_LIMIT,
    worker_start=0,
    env_files=0,
    env_install=0,
    disk_latency=0,
    disk_bandwidth=NO_LIMIT,
)

_NAMED: Final = {"lan": LAN, "free": FREE}
_PARSERS: Final[dict[str, Callable[[str], int]]] = {
    "latency": parse_duration,
    "local_latency": parse_duration,
    "bandwidth": parse_bandwidth,
    "message": parse_duration,
    "call": parse_duration,
    "sleep": parse_duration,
    "worker_start": parse_duration,
    "worker_start_alone": parse_duration,
    "env_files": parse_duration,
    "env_install": parse_duration,
    "disk_latency": parse_duration,
    "disk_bandwidth": parse_bandwidth,
    "poll": parse_duration,
}


def costs_from(network: str | Mapping[str, Any] | Costs) -> Costs:
    """The costs that the option `network` names: `lan`, `free`, or the defaults with changes.

    Durations are integers in ns or texts such as `1ms`; bandwidths bytes per second or `10Gbit/s`.
    Raises ValueError with the nearest right word.
    """
    if isinstance(network, Costs):
        return network
    if isinstance(network, str):
        if network not in _NAMED:
            raise ValueError(f"unknown network {network!r}{nearest(network, _NAMED)}")
        return _NAMED[network]
    changes: dict[str, Any] = {}
    for name, value in network.items():
        if name == "shared":
            if not isinstance(value, bool):
                raise ValueError(f"network: shared={value!r} is neither True nor False")
            changes[name] = value
        elif name not in _PARSERS:
            raise ValueError(f"network has no {name!r}{nearest(name, _PARSERS)}")
        elif value is not None:
            changes[name] = _read(name, value)
    if changes.get("poll") == 0:
        raise ValueError("network: poll=0 would stop the clock of a program that polls; give 1ns")
    return msgspec.structs.replace(LAN, **changes)


def _read(name: str, value: object) -> int:
    read = _PARSERS[name](value) if isinstance(value, str) else value
    if isinstance(read, bool) or not isinstance(read, int) or read < 0:
        raise ValueError(
            f"network: {name}={value!r} is neither a text such as '1ms' nor a count >= 0"
        )
    return read


def nearest(word: str, known: Mapping[str, object]) -> str:
    """The end of an error about an unknown word: what was probably meant, or what there is."""
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
