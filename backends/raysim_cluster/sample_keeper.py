"""Keeps what the nodes of a cluster note of themselves, in files of the head. Never looks at a node itself.

Samples come to the GCS's process, which outlives any node and any viewer, and survive its end as files.
"""

import time
from pathlib import Path
from typing import Final

import msgspec

from raysim.protocol.process import Handlers
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.sample import FOLDER, PERIOD_S, Sample, file_name
from raysim_cluster.sampled import Sampled

KEPT: Final = 12 * 3600 // PERIOD_S
"""Twelve hours. A file has up to twice as many, 3 MB or so: then the older half goes."""


class SampleFile:
    """The latest ones of a node."""

    def __init__(self, folder: Path, node_id: NodeId, kept: int = KEPT) -> None:
        self.path = folder / file_name(node_id.hex())
        self._kept = kept
        self._lines = self.path.read_bytes().count(b"\n") if self.path.exists() else 0
        """Of an earlier life of the GCS."""

    def add(self, sample: Sample) -> None:
        if self._lines >= 2 * self._kept:
            newest = self.path.read_bytes().splitlines(keepends=True)[-self._kept :]
            whole = self.path.with_suffix(".new")
            whole.write_bytes(b"".join(newest))
            whole.replace(self.path)  # Whoever reads it sees the old one or the new one.
            self._lines = len(newest)
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(sample) + b"\n")
        self._lines += 1


class SampleKeeper:
    """A role of the GCS's process."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder, FOLDER)
        self._files: dict[NodeId, SampleFile] = {}

    @staticmethod
    def handlers() -> Handlers["SampleKeeper"]:
        return {Sampled: lambda keeper: keeper._keep}

    def start(self) -> None:
        """The first sample begins a file."""

    def peer_lost(self, peer: Address) -> None:
        """Its samples stay."""
        self._files.pop(peer.node_id, None)

    def _keep(self, sender: Address, said: Sampled) -> None:
        file = self._files.get(sender.node_id)
        if file is None:
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            self._drop_old()
            file = self._files[sender.node_id] = SampleFile(self._folder, sender.node_id)
        file.add(said.sample)

    def _drop_old(self) -> None:
        """Of nodes that are long gone."""
        latest = time.time() - KEPT * PERIOD_S
        for path in self._folder.iterdir():
            if path.stat().st_mtime < latest:
                path.unlink()
