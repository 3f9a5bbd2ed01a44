"""What nodes need of this machine, looked at one by one, each with what helps. Never a change of it."""

import ctypes
import os
import platform
import re
import resource
import shutil
import ssl
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import raysim
from raysim.config import Config
from raysim.exceptions import AuthenticationError
from raysim.services import Finding
from raysim_cluster.auth_token import FILES, existing_token, find_token
from raysim_cluster.certificates import shown
from raysim_cluster.disk import temporary_folder
from raysim_cluster.door import Entry, doors, visit
from raysim_cluster.joining import check_versions, find_cluster
from raysim_cluster.memory import of_machine
from raysim_cluster.ports import check_port
from raysim_cluster.redis_link import RedisLink, RedisState
from raysim_cluster.redis_place import named_storage, redis_place
from raysim_cluster.tls_files import CertificateError, find_tls

_DISTRIBUTION: Final = "raysim-core"
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_SESSION: Final = re.compile(r"raysim-([0-9a-f]{16})(?:-[0-9a-f]{12})?")
_YOUNG_S: Final = 60.0
"""The folder of a session that begins is older than its first socket."""
_SOON_DAYS: Final = 30
_TIME_ERROR: Final = 5
"""What adjtimex(2) returns for a clock that nothing keeps right."""
_TIMEX_BYTES: Final = 512
"""More than the struct has."""


def examine(address: str | None, port: int) -> list[Finding]:
    """For a node of the cluster at `host:port`, or for a head with this port."""
    try:
        entries = doors()
    except OSError as error:
        return [Finding("nodes", "wrong", str(error), "Remove it, or set TMPDIR.")]
    return [
        of_python(),
        *of_packages(metadata.requires, metadata.version),
        *(of_node(entry) for entry in entries),
        of_token(),
        *of_certificates(time.time()),
        *of_storage(named_storage()),
        of_port(port, entries) if address is None else of_cluster(address),
        of_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        of_processes(resource.getrlimit(resource.RLIMIT_NPROC)[0]),
        of_memory(*of_machine()),
        of_shared_memory(),
        of_disk(temporary_folder(), *shutil.disk_usage(temporary_folder())[:2]),
        of_clock(time.time(), Path(raysim.__file__).stat().st_mtime, _kernel_clock()),
        *of_sessions(temporary_folder(), Path("/proc/net/unix").read_text(), time.time()),
    ]


def of_python() -> Finding:
    found = f"raysim {raysim.__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}"
    return Finding("version", "ok", found)


def of_packages(
    requires: Callable[[str], list[str] | None], version: Callable[[str], str]
) -> Iterator[Finding]:
    """One finding for all that are there and new enough; one for each that is not."""
    try:
        lines = requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages",
            "note",
            "raysim runs from a folder, and is not installed",
            f"pip install '{_DISTRIBUTION}[cluster]'",
        )
        return
    good = []
    for line in lines:
        needed, _, marker = line.partition(";")
        if marker and 'extra == "cluster"' not in marker.replace("'", '"'):
            continue
        name = re.split(r"[\s<>=!~\[(]", needed.strip(), maxsplit=1)[0]
        least = re.search(r">=\s*([\d.]+)", needed)
        remedy = f"pip install '{needed.strip()}'"
        try:
            have = version(name)
        except metadata.PackageNotFoundError:
            yield Finding("packages", "wrong", f"{name} is not installed", remedy)
            continue
        if least is not None and _numbers(have) < _numbers(least[1]):
            yield Finding("packages", "wrong", f"{name} is {have}, older than {least[1]}", remedy)
            continue
        good.append(f"{name} {have}")
    if good:
        yield Finding("packages", "ok", ", ".join(good))


def of_node(entry: Entry) -> Finding:
    """Of one that runs here: whether a program of this version may join it."""
    what = f"{'head' if entry.is_head else 'node'} of {entry.address}, process {entry.pid}"
    try:
        here, arena_fd = visit(entry)
        os.close(arena_fd)
        check_versions("It", here.version, here.python)
    except ConnectionError as error:
        return Finding("nodes", "wrong", f"{what}: {error}", "raysim stop --force")
    except RuntimeError as error:
        remedy = "Start it again with this version: raysim stop, raysim start."
        return Finding("nodes", "wrong", f"{what}: {error}", remedy)
    return Finding("nodes", "ok", f"{what} answers")


def of_token() -> Finding:
    try:
        found = find_token()
    except AuthenticationError as error:
        what, remedy = _split(error, "Write one into it, or remove it: a head makes another.")
        return Finding("token", "wrong", what, remedy)
    if found is None:
        return Finding("token", "ok", f"none yet: a head makes one in {FILES[0]}")
    return Finding("token", "ok", f"in {found[1] or 'the environment'}")


def of_certificates(now: float) -> Iterator[Finding]:
    """Of what the environment names."""
    try:
        files = find_tls()
        if files is None:
            return
        certificate = shown(files)
    except CertificateError as error:
        yield Finding("certificates", "wrong", *_split(error, "Make others: raysim tls make"))
        return
    names = ", ".join(name for _, name in certificate.get("subjectAltName", ()))
    left = (ssl.cert_time_to_seconds(certificate["notAfter"]) - now) / 86_400
    found = f"{files.cert} is for {names}, and for {left:.0f} more days"
    remedy = "Replace the files by new ones (raysim tls make): nodes that run read them again."
    yield Finding(
        "certificates", *(("note", found, remedy) if left < _SOON_DAYS else ("ok", found))
    )
    if os.stat(files.key).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"others than you may use the key {files.key}"
        yield Finding("certificates", "wrong", found, f"chmod 600 {files.key}")


def of_storage(storage: str) -> Iterator[Finding]:
    """Of the Redis that the environment names: whether it answers, and keeps what it has acknowledged."""
    if not storage:
        return
    try:
        link = RedisLink(redis_place(storage, plaintext=True))
    except ValueError as error:
        yield Finding("storage", "wrong", *_split(error, "See docs/operations.md."))
        return
    try:
        state = RedisState(link)
    except link.errors as error:
        what = _split(ConnectionError(link.explain(error)), "Start it, or give another address.")
        yield Finding("storage", "wrong", *what)
        return
    finally:
        link.close()
    found = f"Redis {state.version} answers at {link.place}"
    if refusal := state.refusal():
        yield Finding("storage", "wrong", *_split(ValueError(f"{found}. {refusal}"), ""))
    elif risk := state.risk():
        yield Finding("storage", "note", found, risk)
    else:
        yield Finding("storage", "ok", found)


def of_port(port: int, entries: Sequence[Entry]) -> Finding:
    """Of a head on this machine."""
    for entry in entries:
        if entry.is_head and entry.address.rpartition(":")[2] == str(port):
            return Finding("port", "ok", f"{port} is your head's, process {entry.pid}")
    try:
        check_port("127.0.0.1", port)
    except ValueError as error:
        return Finding("port", "wrong", *_split(error, "Name another with --port."))
    return Finding("port", "ok", f"{port} is free for a head")


def of_cluster(address: str) -> Finding:
    """Whether a node or a program from here may join."""
    try:
        find_cluster(address, existing_token(), find_tls())
    except AuthenticationError as error:
        remedy = f"Copy the head's {FILES[0]} to the same place here."
        return Finding("cluster", "wrong", *_split(error, remedy))
    except (ConnectionError, ValueError, RuntimeError) as error:
        return Finding(
            "cluster", "wrong", *_split(error, "Give the address that `raysim start` said.")
        )
    return Finding("cluster", "ok", f"the head at {address} lets us in")


def of_files(hard: int) -> Finding:
    """A raylet has a descriptor for each process that speaks to it."""
    return _limit("open files", hard, 1_024, 4_096, "ulimit -Hn 65536 (limits.conf: nofile)")


def of_processes(soft: int) -> Finding:
    if os.getuid() == 0:
        return Finding("processes", "ok", "no limit for root")
    return _limit("processes", soft, 256, 2_048, "ulimit -u 8192 (limits.conf: nproc)")


def _limit(check: str, limit: int, least: int, enough: int, remedy: str) -> Finding:
    if limit == resource.RLIM_INFINITY:
        return Finding(check, "ok", "no limit")
    if limit >= enough:
        return Finding(check, "ok", f"at most {limit}")
    verdict: Final = "wrong" if limit < least else "note"
    return Finding(check, verdict, f"at most {limit}, where {enough} are enough", remedy)


def of_memory(used: int, total: int) -> Finding:
    free = max(0, total - used)
    found = f"{free / _GIB:.2f} of {total / _GIB:.2f} GiB are free"
    if free >= _GIB:
        return Finding("memory", "ok", found)
    remedy = "End what uses it (ps --sort=-rss), or start nodes with less: --object-store-memory 128MiB --memory 256MiB"
    return Finding("memory", "wrong" if free < 256 * _MIB else "note", found, remedy)


def of_shared_memory() -> Finding:
    """The store is one memfd: /dev/shm may be as small as it likes."""
    try:
        os.close(os.memfd_create("raysim-doctor", os.MFD_CLOEXEC))
    except OSError as error:
        remedy = "Allow memfd_create(2) in the container's seccomp profile."
        return Finding("shared memory", "wrong", f"memfd_create: {error.strerror}", remedy)
    return Finding("shared memory", "ok", "memfd_create works, so that /dev/shm is not needed")


def of_disk(folder: Path, total: int, used: int) -> Finding:
    most = Config().local_fs_capacity_threshold
    found = f"{folder} is {used / max(1, total):.0%} full, {(total - used) / _GIB:.1f} GiB are left"
    if used < most * total:
        return Finding("disk", "ok", found)
    remedy = f"Nothing is spilled above {most:.0%}. Free some, or set TMPDIR or object_spilling_directories."
    return Finding("disk", "wrong", found, remedy)


def of_clock(now: float, installed: float, kernel: int) -> Finding:
    remedy = "timedatectl set-ntp true"
    if now < installed:
        found = (
            f"it is {time.ctime(now)}, before this raysim was installed ({time.ctime(installed)})"
        )
        return Finding("clock", "wrong", found, remedy)
    if kernel == _TIME_ERROR:
        found = "nothing keeps it right, so that times of several machines may not fit together"
        return Finding("clock", "note", found, remedy)
    return Finding("clock", "ok", time.ctime(now))


def _kernel_clock() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


def of_sessions(folder: Path, sockets: str, now: float) -> Iterator[Finding]:
    """`sockets`: all that this network namespace has."""
    for one in sorted(folder.glob("raysim-*")):
        matched = _SESSION.fullmatch(one.name)
        if matched is None or not one.is_dir() or f"raysim-{matched[1]}-" in sockets:
            continue
        about = one.stat()
        if about.st_uid == os.getuid() and now - about.st_mtime > _YOUNG_S:
            found = f"{one} is left of a cluster of which nothing runs here any more"
            yield Finding("sessions", "note", found, f"rm -r {one}")


def _split(error: Exception, otherwise: str) -> tuple[str, str]:
    """What is wrong, and what helps: our errors say both."""
    what, _, remedy = str(error).partition(". ")
    return what, remedy or otherwise


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
