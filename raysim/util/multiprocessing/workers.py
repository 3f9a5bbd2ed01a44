"""The workers of a Pool: actors that run chunks, one after another. Never looks at the results."""

import traceback
from collections.abc import Callable, Iterable
from typing import Any

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle, kill
from raysim.api.objects import get, wait
from raysim.runtime.object_ref import ObjectRef
from raysim.task_error import portable
from raysim.util.multiprocessing.results import Batch, Failed

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments of one call of the function."""


class PoolActor:
    """A worker."""

    def __init__(self, initializer: Callable[..., object] | None, initargs: Iterable[Any]) -> None:
        if initializer is not None:
            initializer(*initargs)

    def run(self, function: Callable[..., Any], calls: list[Call]) -> Batch:
        return [_run(function, *call) for call in calls]


def _run(function: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is raised where the result is read)
        own = error.__traceback__
        text = "".join(
            traceback.format_exception(type(error), error, own.tb_next if own is not None else None)
        )
        cause = portable(error, text)
        cause.add_note(f"Raised in a worker of the pool:\n{text}")
        return Failed(cause)


class _Slot:
    """One worker's place: the actor that has it now."""

    __slots__ = ("actor", "chunks", "last")

    def __init__(self, actor: ActorHandle) -> None:
        self.actor = actor
        self.chunks = 0
        self.last: ObjectRef | None = None


class Workers:
    """A fixed number of places, given work in turn; actors are replaced when worn out or dead."""

    def __init__(
        self,
        count: int,
        initializer: Callable[..., object] | None,
        initargs: Iterable[Any],
        max_chunks: int | None,
        options: dict[str, Any],
    ) -> None:
        """Waits until all are there. Raises ActorDiedError when the initializer raises."""
        self._class = ActorClass(PoolActor, {"num_cpus": 0}).options(**options)
        self._args = (initializer, tuple(initargs))
        self._max_chunks = max_chunks
        self._slots = [_Slot(self._start()) for _ in range(count)]
        self._turn = 0
        self._retired: list[ObjectRef] = []
        """The last chunks of actors that were replaced."""
        get([slot.actor.__ray_ready__.remote() for slot in self._slots])

    def __len__(self) -> int:
        return len(self._slots)

    def submit(self, function: Callable[..., Any], calls: list[Call]) -> ObjectRef:
        slot = self._slots[self._turn]
        self._turn = (self._turn + 1) % len(self._slots)
        if self._max_chunks and slot.chunks >= self._max_chunks:
            self._replace(slot)
        slot.chunks += 1
        ref: ObjectRef = slot.actor.run.remote(function, calls)
        slot.last = ref
        return ref

    def _start(self) -> ActorHandle:
        return self._class.remote(*self._args)

    def _replace(self, slot: _Slot) -> None:
        """The old actor ends by itself after its calls: nobody has its handle any more."""
        if slot.last is not None:
            self._retired.append(slot.last)
        slot.actor, slot.chunks, slot.last = self._start(), 0, None

    def wait(self) -> None:
        """Until all that was submitted has ended: an actor's last call ends last."""
        refs = [*self._retired, *(slot.last for slot in self._slots if slot.last is not None)]
        if refs:
            wait(refs, num_returns=len(refs))
        self._retired = []

    def kill(self) -> None:
        for slot in self._slots:
            kill(slot.actor)
