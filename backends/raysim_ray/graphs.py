"""A compiled graph as ordinary calls of its actors, pass after pass. Never faster than they are.

The methods run in the same order, on the same actors, with the same errors as over open channels;
Ray's own compiled graphs ask more of a graph than raysim's do.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import ray

from raysim.backend import BoundMethod, Channel, GraphOptions
from raysim.exceptions import ActorDiedError
from raysim_ray.errors import translating
from raysim_ray.handles import handle_of
from raysim_ray.references import from_ray
from raysim_ray.serializers import Mirror


class CalledGraph:
    """The port `raysim.backend.CompiledGraph`."""

    @translating
    def __init__(self, options: GraphOptions, mirror: Mirror | None) -> None:
        """`mirror`: a driver's."""
        self.graph_id = uuid4().bytes
        self._options = options
        self._mirror = mirror
        self._actors = {m.actor_id: handle_of(m.actor_id) for m in options.methods}
        """Held, so that they live as long as the graph."""
        self._passes: dict[int, list[Any]] = {}
        """The outputs of each: Ray's reference, or the input itself that is given out again."""
        self._values: dict[int, dict[Any, Any]] = {}
        """By Ray's reference, of passes that somebody asked for."""
        self._next = 0
        self._open = True
        ray.get([actor.__ray_ready__.remote() for actor in self._actors.values()])

    def is_open(self) -> bool:
        return self._open

    @translating
    def start(self, values: Sequence[Any]) -> int:
        if self._mirror is not None:
            self._mirror.update()
        channels: dict[int, Any] = dict(zip(self._options.inputs, values, strict=True))
        for method in self._options.methods:
            channels.update(zip(method.outputs, self._call(method, channels), strict=True))
        number, self._next = self._next, self._next + 1
        self._passes[number] = [channels[output] for output in self._options.outputs]
        return number

    def _call(self, method: BoundMethod, channels: dict[int, Any]) -> list[Any]:
        args = [channels[a.number] if isinstance(a, Channel) else a for a in method.args]
        count = len(method.outputs)
        call = getattr(self._actors[method.actor_id], method.method)
        answer = call.options(num_returns=count).remote(*args, **method.kwargs)
        return [answer] if count == 1 else list(answer or ())

    def done(self, number: int) -> bool:
        return self.wait(number, 0)

    def wait(self, number: int, timeout: float | None) -> bool:
        refs = self._refs(number)
        if not refs:
            return True
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=timeout)
        return len(ready) == len(refs)

    async def ready(self, number: int) -> None:
        await asyncio.gather(*self._refs(number), return_exceptions=True)

    def _refs(self, number: int) -> list[Any]:
        outputs = self._passes[number]
        return list(dict.fromkeys(o for o in outputs if isinstance(o, ray.ObjectRef)))

    def result(self, number: int, output: int) -> Any:
        try:
            values = self._values.get(number)
            if values is None:
                values = self._values[number] = self._fetched(number)
        except ActorDiedError:
            self._open = False
            raise
        wanted = self._passes[number][output]
        return values[wanted] if isinstance(wanted, ray.ObjectRef) else wanted

    @translating
    def _fetched(self, number: int) -> dict[Any, Any]:
        """All outputs: the error of one is the error of the whole pass."""
        refs = self._refs(number)
        return dict(zip(refs, map(from_ray, ray.get(refs)), strict=True))

    def forget(self, number: int) -> None:
        self._passes.pop(number, None)
        self._values.pop(number, None)

    def close(self) -> None:
        self._open = False
        self._passes.clear()
        self._values.clear()
        self._actors.clear()

    def close_soon(self) -> None:
        self.close()
