"""What a head writes down so that another one can take its place: its session, its port, its tables. Never the tables.

A head that is started at the address of one that was killed goes on with its cluster: nodes find it where that was.
One that ends in good order, as by `raysim stop`, leaves nothing, but in a folder that its user has named.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final, Protocol

import msgspec

import raysim
from raysim_cluster.disk import temporary_folder
from raysim_cluster.redis_place import RedisPlace, is_redis, redis_place

_PREFIX: Final = "raysim-head-"
_RECORD: Final = "head.json"


class Record(msgspec.Struct, frozen=True):
    """What a head writes down of itself."""

    session_id: str
    host: str
    port: int
    """0: it never ran."""
    version: str = raysim.__version__


class HeadPlace(Protocol):
    """Of one head, until it leaves."""

    session_id: str
    port: int
    """Where its nodes look for it."""
    returns: bool
    """Another head was here, and was killed."""

    @property
    def storage(self) -> str | RedisPlace:
        """Where its tables are: a folder, or a Redis."""

    def settle(self, endpoint: str) -> None:
        """The head runs there: whoever comes after it may find that."""

    def leave(self) -> None:
        """In good order."""


class HeadFolder:
    """A HeadPlace on this machine."""

    def __init__(self, folder: Path, session_id: str, port: int, returns: bool, kept: bool) -> None:
        self.folder = folder
        self.session_id = session_id
        self.port = port
        self.returns = returns
        self._kept = kept

    @property
    def storage(self) -> str:
        return str(self.folder)

    def settle(self, endpoint: str) -> None:
        host, _, port = endpoint.rpartition(":")
        self.port = int(port)
        record = Record(self.session_id, host, self.port)
        written = self.folder / f"{_RECORD}.part"
        written.write_bytes(msgspec.json.encode(record))
        written.rename(self.folder / _RECORD)

    def leave(self) -> None:
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)


def head_place(storage: str, host: str, port: int, plaintext: bool = False) -> HeadPlace:
    """In the folder or Redis `storage`; empty: where the last head at this address was, or a new one.

    The port is nobody's now. `plaintext`: see `redis_place`. Raises ValueError for what was written by another version
    of raysim, or is of another port, or of a head that runs; ConnectionError where Redis does not answer.
    """
    if is_redis(storage):
        # With its client, which takes 20 MB.
        from raysim_cluster.redis_head import RedisHead

        return RedisHead(redis_place(storage, plaintext), host, port)
    if storage:
        return _named(Path(storage), host, port)
    for folder in _left():
        found = _read(folder)
        if found is None or (found.host, found.port) != (host, port):
            continue
        if found.version == raysim.__version__:
            return HeadFolder(folder, found.session_id, port, True, False)
        shutil.rmtree(folder, ignore_errors=True)  # Of tables that we may not understand.
    session_id = os.urandom(8).hex()
    folder = temporary_folder() / f"{_PREFIX}{session_id}"
    folder.mkdir(0o700)
    return HeadFolder(folder, session_id, port, False, False)


def forget_heads() -> None:
    """Of heads of ours that were killed; none runs."""
    for folder in _left():
        shutil.rmtree(folder, ignore_errors=True)


def _named(folder: Path, host: str, port: int) -> HeadFolder:
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--storage {folder} cannot be a folder: {error.strerror}. Give a folder of yours, or redis://host:port/db."
        ) from error
    found = _read(folder)
    if found is None:
        return HeadFolder(folder, os.urandom(8).hex(), port, False, True)
    port = check_record(found, str(folder), "folder", host, port)
    return HeadFolder(folder, found.session_id, port, True, True)


def check_record(found: Record, place: str, kind: str, host: str, port: int) -> int:
    """The port of the head that was there. Raises ValueError where another at `host` and `port` does not do."""
    if found.version != raysim.__version__:
        raise ValueError(
            f"{place} was written by raysim {found.version}, and this is {raysim.__version__}. "
            f"Use that version, or another {kind} for a new cluster."
        )
    if port and (found.host, found.port) != (host, port):
        raise ValueError(
            f"{place} is of a head at {found.host}:{found.port}, where its nodes look for it. Start it with "
            f"--port {found.port}, or use another {kind} for a new cluster."
        )
    return found.port


def _left() -> list[Path]:
    """What is there of this user's heads: what others may have put there is not believed."""
    found = []
    for folder in sorted(temporary_folder().glob(f"{_PREFIX}*")):
        seen = folder.lstat()
        mine = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
        if mine and not seen.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            found.append(folder)
    return found


def _read(folder: Path) -> Record | None:
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
