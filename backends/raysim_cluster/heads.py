"""What a head writes down so that another one can take its place: its session, its port, its tables. Never the tables.

A head that is started at the address of one that was killed goes on with its cluster: nodes find it where that was.
One that ends in good order, as by `raysim stop`, leaves nothing, but in a folder that its user has named.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

import msgspec

import raysim
from raysim_cluster.disk import temporary_folder

_PREFIX: Final = "raysim-head-"
_RECORD: Final = "head.json"


class _Record(msgspec.Struct, frozen=True):
    session_id: str
    host: str
    port: int
    version: str


class HeadPlace:
    """`returns`: another head was here, and was killed. `port`: where its nodes look for it."""

    def __init__(self, folder: Path, session_id: str, port: int, returns: bool, kept: bool) -> None:
        self.folder = folder
        self.session_id = session_id
        self.port = port
        self.returns = returns
        self._kept = kept

    def settle(self, endpoint: str) -> None:
        """The head runs there: whoever comes after it may find that."""
        host, _, port = endpoint.rpartition(":")
        self.port = int(port)
        record = _Record(self.session_id, host, self.port, raysim.__version__)
        written = self.folder / f"{_RECORD}.part"
        written.write_bytes(msgspec.json.encode(record))
        written.rename(self.folder / _RECORD)

    def leave(self) -> None:
        """In good order."""
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)


def head_place(storage: str, host: str, port: int) -> HeadPlace:
    """In the folder `storage`; empty: where the last head at this address was, or a new one.

    The port is nobody's now. Raises ValueError for a folder of another version of raysim, or of another port.
    """
    if storage:
        return _named(Path(storage), host, port)
    for folder in _left():
        found = _read(folder)
        if found is None or (found.host, found.port) != (host, port):
            continue
        if found.version == raysim.__version__:
            return HeadPlace(folder, found.session_id, port, True, False)
        shutil.rmtree(folder, ignore_errors=True)  # Of tables that we may not understand.
    session_id = os.urandom(8).hex()
    folder = temporary_folder() / f"{_PREFIX}{session_id}"
    folder.mkdir(0o700)
    return HeadPlace(folder, session_id, port, False, False)


def forget_heads() -> None:
    """Of heads of ours that were killed; none runs."""
    for folder in _left():
        shutil.rmtree(folder, ignore_errors=True)


def _named(folder: Path, host: str, port: int) -> HeadPlace:
    folder.mkdir(0o700, parents=True, exist_ok=True)
    found = _read(folder)
    if found is None:
        return HeadPlace(folder, os.urandom(8).hex(), port, False, True)
    if found.version != raysim.__version__:
        raise ValueError(
            f"{folder} was written by raysim {found.version}, and this is {raysim.__version__}. "
            "Use that version, or another folder for a new cluster."
        )
    if port and (found.host, found.port) != (host, port):
        raise ValueError(
            f"{folder} is of a head at {found.host}:{found.port}, where its nodes look for it. Start it with "
            f"--port {found.port}, or use another folder for a new cluster."
        )
    return HeadPlace(folder, found.session_id, found.port, True, True)


def _left() -> list[Path]:
    """What is there of this user's heads: what others may have put there is not believed."""
    found = []
    for folder in sorted(temporary_folder().glob(f"{_PREFIX}*")):
        seen = folder.lstat()
        mine = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
        if mine and not seen.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            found.append(folder)
    return found


def _read(folder: Path) -> _Record | None:
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=_Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
