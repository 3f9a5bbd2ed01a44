"""Labelled random streams forked from one seed. Never shared: a draw from one shifts no other."""

from hashlib import blake2b
from random import Random


class Streams:
    """The only source of chance in a run: the same seed and label give the same draws."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = str(seed).encode()[:64]
        self._streams: dict[str, Random] = {}

    def stream(self, label: str) -> Random:
        """The stream of this label; the same object each time."""
        found = self._streams.get(label)
        if found is None:
            found = self._streams[label] = Random(self.number(label))
        return found

    def number(self, label: str) -> int:
        """A 128-bit number that only the seed and the label decide."""
        digest = blake2b(label.encode(), digest_size=16, key=self._key).digest()
        return int.from_bytes(digest, "big")
