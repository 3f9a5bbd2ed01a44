"""References as futures of asyncio and of concurrent.futures. Never a loop or a thread of its own.

`await ref` waits in whatever loop runs; `ref.future()` is for code that knows no loop. Below the API
this module alone knows these two libraries: what it uses of them does no I/O and starts nothing.
"""

import asyncio
from asyncio import CancelledError
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from raysim.exceptions import GetTimeoutError, RayTaskError

if TYPE_CHECKING:
    from collections.abc import Callable

    from raysim.runtime.core_worker import CoreWorker
    from raysim.runtime.object_ref import ObjectRef
    from raysim.runtime.values import Watch

__all__ = ["CancelledError", "RefFuture", "as_asyncio", "told", "value_of"]


async def value_of(ref: "ObjectRef", worker: "CoreWorker") -> Any:
    """The value, once it is here; raises what `get` raises."""
    loop = asyncio.get_running_loop()
    while True:
        here: asyncio.Future[None] = loop.create_future()
        watch = worker.values.watch(ref, partial(_tell, loop, here))
        try:
            if not watch.here:
                await here
            return worker.values.get([ref], 0)[0]
        except GetTimeoutError as error:
            if isinstance(error, RayTaskError):
                raise
            # It was here, and was lost since: the next copy is waited for.
        finally:
            watch.close()


async def told(begin: "Callable[[Callable[[], None]], None]") -> None:
    """Until what `begin` was given is called, by whichever thread."""
    loop = asyncio.get_running_loop()
    here: asyncio.Future[None] = loop.create_future()
    begin(lambda: _tell(loop, here))
    await here


def _tell(loop: asyncio.AbstractEventLoop, here: "asyncio.Future[None]") -> None:
    """From whichever thread heard of it."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(_finish, here)


def _finish(here: "asyncio.Future[None]") -> None:
    if not here.done():
        here.set_result(None)


class RefFuture(Future[Any]):
    """The value of a reference. Whoever waits in `result` has this process's messages handled meanwhile.

    `cancel` gives up this future, not the task. Ray: `ObjectRef.future()`.
    """

    def __init__(self, ref: "ObjectRef", worker: "CoreWorker") -> None:
        super().__init__()
        self._ref = ref
        self._worker = worker
        self._claimed = False
        self._watch: Watch | None = None
        self._expect()

    def _expect(self) -> None:
        host = self._worker.host
        self._watch = self._worker.values.watch(self._ref, lambda: host.outside(self._settle))
        if self._watch.here:
            self._settle()

    def result(self, timeout: float | None = None) -> Any:
        self._wait(timeout)
        return super().result(0 if self._in_time else None)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._wait(timeout)
        return super().exception(0 if self._in_time else None)

    def _wait(self, timeout: float | None) -> None:
        if not self.done() and self._worker.values.wait([self._ref], 1, timeout, True)[0]:
            self._settle()

    @property
    def _in_time(self) -> bool:
        """Nobody is about to set the value: it is set, or time is over."""
        return self.done() or not self._claimed

    def _settle(self) -> None:
        """The value is here: take it. By the first who comes."""
        with self._worker.host.lock:
            if self._claimed:
                return
            self._claimed = True
        if not self.set_running_or_notify_cancel():
            self._forget()
            return
        try:
            value = self._worker.values.get([self._ref], None)[0]
        except BaseException as error:  # noqa: BLE001  (whatever the task raised)
            self.set_exception(error)
        else:
            self.set_result(value)
        finally:
            self._forget()

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            self._forget()
        return cancelled

    def _forget(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()


def as_asyncio(ref: "ObjectRef", worker: "CoreWorker") -> "asyncio.Future[Any]":
    """A future of the running loop. Ray: `ObjectRef.as_future()`, which is deprecated there."""
    return asyncio.wrap_future(RefFuture(ref, worker))
