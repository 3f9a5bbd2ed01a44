"""Constructors of actors that a fault has fail. Never the ones that it does not name."""

import os
from functools import cache
from typing import Any

import msgspec

from raysim import cloudpickle
from raysim.faults.processes import CrashConstructor, FailConstructor
from raysim.protocol.host import RunnableTask


class _Waiting(msgspec.Struct):
    fault: FailConstructor | CrashConstructor
    left: int


class Constructors:
    """Faults that wait for constructors: each takes the next ones that it fits."""

    def __init__(self) -> None:
        self.waiting: list[_Waiting] = []

    def fail_next(self, fault: FailConstructor | CrashConstructor) -> None:
        self.waiting.append(_Waiting(fault, fault.count))

    def strike(self, task: RunnableTask) -> None:
        """It constructs an actor of another class: one whose constructor fails."""
        actor = task.actor
        assert actor is not None
        for waiting in self.waiting:
            if waiting.fault.actor not in (None, actor.class_name, actor.name):
                continue
            waiting.left -= 1
            if not waiting.left:
                self.waiting.remove(waiting)
            crashes = isinstance(waiting.fault, CrashConstructor)
            task.actor = msgspec.structs.replace(actor, class_payload=_payload(crashes))
            return


@cache
def _payload(crashes: bool) -> bytes:
    """As the payload of an actor's class: with what it is to be retried for."""

    class Failing:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if crashes:
                os._exit(1)
            raise RuntimeError("a fault has this constructor fail")

    payload: bytes = cloudpickle.dumps((Failing, None))
    return payload
