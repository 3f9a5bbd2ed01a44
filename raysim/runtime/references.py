"""The references inside one value, as a table beside its pickle. Never who counts them.

In the pickle each is its place in the table, which is read at once: a list of ten thousand references is made, and
unpickled, without a step of Python for each.
"""

import pickle
from collections import ChainMap
from collections.abc import Sequence
from io import BytesIO
from itertools import groupby, repeat
from typing import Any, ClassVar, NoReturn

import msgspec

from raysim.protocol.messages import ContainedRef
from raysim.runtime.object_ref import ObjectRef, one_of, serialised
from raysim.runtime.pickler import Pickler
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId


class _Table(msgspec.Struct, array_like=True, gc=False):
    ids: list[ObjectId]
    owners: list[tuple[Address, int]]
    """Each with how many in a row are its."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Table).decode


def at(place: int) -> NoReturn:
    """Stands in the pickle for the table's own look-up."""
    raise pickle.UnpicklingError(
        f"Reference {place} of a value stands in its table, which only raysim reads: use ray.get."
    )


def _reduce(ref: ObjectRef) -> tuple[Any, ...]:
    met = serialised.get()
    place = 0 if met is None else len(met)
    by_itself: tuple[Any, ...] = ref.__reduce__()  # Which adds it to those that were met.
    return by_itself if met is None else (at, (place,))


class ReferencePickler(Pickler):
    """For values that get a table of what it meets. Picklers of programs inside of it write references in full."""

    dispatch_table: ClassVar[ChainMap[type, Any]] = ChainMap(
        {ObjectRef: _reduce}, *Pickler.dispatch_table.maps
    )


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, pickled: memoryview, buffers: Sequence[memoryview], refs: list[ObjectRef]
    ) -> None:
        super().__init__(BytesIO(pickled), buffers=buffers)
        self._refs = refs

    def find_class(self, module: str, name: str) -> Any:
        if name == at.__name__ and module == __name__:
            return self._refs.__getitem__
        return super().find_class(module, name)


def table_of(contained: Sequence[ContainedRef]) -> bytes:
    in_a_row = groupby(contained, lambda ref: ref.owner)
    owners = [(owner, sum(1 for _ in refs)) for owner, refs in in_a_row]
    return _encode(_Table([ref.object_id for ref in contained], owners))


def read_table(table: memoryview) -> list[ObjectRef]:
    """Counted by nobody yet."""
    found = _decode(table)
    refs: list[ObjectRef] = []
    for owner, count in found.owners:
        ids = found.ids[len(refs) : len(refs) + count]
        refs += map(ObjectRef, ids, repeat(one_of(owner)), repeat(None))
    return refs


def load(pickled: memoryview, buffers: Sequence[memoryview], refs: list[ObjectRef]) -> Any:
    """The value whose table these are."""
    return _Unpickler(pickled, buffers, refs).load()
