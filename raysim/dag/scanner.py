"""Finds nodes in arguments, at any depth, and puts other values in their places. Never runs one.

Lists, tuples, sets and dicts are walked. Other objects are looked through by pickling them, with every
node, reference and handle left out, and are rebuilt only where a node is inside.
"""

import pickle
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import cloudpickle

from raysim.api.actors import ActorClass
from raysim.api.functions import RemoteFunction
from raysim.api.handles import ActorHandle
from raysim.runtime.object_ref import ObjectRef

if TYPE_CHECKING:
    from raysim.dag.dag_node import DAGNode

_LEAVES = (str, bytes, int, float, complex, bool, type(None), type)
_KEPT = (ObjectRef, ActorHandle, ActorClass, RemoteFunction)
"""Never looked into, and the same object afterwards."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types.
    def __init__(self, file: BytesIO, node: "type[DAGNode]") -> None:
        super().__init__(file, protocol=5, buffer_callback=self.buffer)
        self.kind = node
        self.kept: list[Any] = []
        self.buffers: list[pickle.PickleBuffer] = []

    def buffer(self, buffer: pickle.PickleBuffer) -> bool:
        self.buffers.append(buffer)
        return False

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, (self.kind, *_KEPT)):
            return None
        self.kept.append(value)
        return len(self.kept) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, file: BytesIO, buffers: list[pickle.PickleBuffer], values: list[Any]
    ) -> None:
        super().__init__(file, buffers=buffers)
        self._values = values

    def persistent_load(self, index: Any) -> Any:
        return self._values[index]


def find(value: Any, kind: "type[DAGNode]") -> Iterator["DAGNode"]:
    """The nodes inside, in order; one that is there twice comes twice."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (*_LEAVES, *_KEPT)):
        return
    elif type(value) in (list, tuple, set, frozenset):
        for item in value:
            yield from find(item, kind)
    elif type(value) is dict:
        for key, item in value.items():
            yield from find(key, kind)
            yield from find(item, kind)
    else:
        yield from (kept for kept in _pickled(value, kind)[1].kept if isinstance(kept, kind))


def replace(value: Any, kind: "type[DAGNode]", replacement: "Callable[[DAGNode], Any]") -> Any:
    """The same value with `replacement(node)` in each node's place; a new object where there was one."""
    if isinstance(value, kind):
        return replacement(value)
    if isinstance(value, (*_LEAVES, *_KEPT)):
        return value
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(replace(item, kind, replacement) for item in value)
    if type(value) is dict:
        return {
            replace(key, kind, replacement): replace(item, kind, replacement)
            for key, item in value.items()
        }
    data, pickler = _pickled(value, kind)
    if not any(isinstance(kept, kind) for kept in pickler.kept):
        return value
    values = [replacement(kept) if isinstance(kept, kind) else kept for kept in pickler.kept]
    return _Unpickler(BytesIO(data), pickler.buffers, values).load()


def _pickled(value: Any, kind: "type[DAGNode]") -> tuple[bytes, _Pickler]:
    """Raises TypeError for what cannot be pickled: nor could it be an argument of a task."""
    file = BytesIO()
    pickler = _Pickler(file, kind)
    try:
        pickler.dump(value)
    except Exception as error:
        raise TypeError(
            f"Could not look for nodes in the argument {value!r}: {type(error).__name__}: {error}"
        ) from error
    return file.getvalue(), pickler
