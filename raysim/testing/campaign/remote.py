"""What the campaign's programs run on the cluster: tasks and an actor that count. Never knows what is right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import raysim as ray

ran: list[list[int]] = []
"""The calls that each process of an ordered actor ran, in this order. Of the run under way: all processes of
a simulated cluster are in this one."""


class Boom(Exception):
    """What a task raises that is meant to."""


Value = tuple[int, bytes]
"""A number, and bytes that make it large or small."""


def total(parts: Any) -> int:
    return sum(part[0] for part in parts)


# Under other names than the remote functions, so that pickle finds them in this module by name.


def _add(number: int, seconds: float, size: int, *parts: Value) -> Value:
    time.sleep(seconds)
    return number + total(parts), bytes(size)


def _nested(number: int, seconds: float, refs: list[Any]) -> Value:
    time.sleep(seconds)
    return number + total(ray.get(refs)), b""


def _tree(number: int, seconds: float, width: int, deep: bool, below: dict[str, Any]) -> Value:
    """`below`: where its children may run, as options."""
    if deep:
        call = tree.options(**below)
        children = [call.remote(number, seconds, width, False, below) for _ in range(width)]
    else:
        call = add.options(**below)
        children = [call.remote(number, seconds, 10) for _ in range(width)]
    return number + total(ray.get(children)), b""


def _boom(number: int, *parts: Value) -> Value:
    raise Boom(number)


def _stream(number: int, count: int, seconds: float, size: int) -> Iterator[Value]:
    for index in range(count):
        time.sleep(seconds)
        yield number * 1000 + index, bytes(size)


Box = tuple[Any, bytes]
"""A reference, and bytes that make the box large or small."""


def _inner(number: int, size: int) -> Box:
    return ray.put((number, bytes(size))), bytes(size)


def _fetched(number: int, seconds: float, size: int) -> Box:
    """What a third process owns, and the caller never had."""
    box = ray.get(inner.remote(number, size))
    time.sleep(seconds)
    return box[0], bytes(size)


def _through(seconds: float, size: int, box: Box) -> Box:
    """What somebody else owns goes through here."""
    time.sleep(seconds)
    return box[0], bytes(size)


def _relay(number: int, seconds: float, box: Box) -> Value:
    time.sleep(seconds)
    return number + ray.get(box[0])[0], b""


_forever = ray.remote(max_retries=-1)
add = _forever(_add)
nested = _forever(_nested)
tree = _forever(_tree)
boom = _forever(_boom)
stream = _forever(_stream)
inner = _forever(_inner)
fetched = _forever(_fetched)
through = _forever(_through)
relay = _forever(_relay)


class Counter:
    """Adds, keeps references, and writes down in what order it is called."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        ran.append(self.ran)
        self.kept: dict[int, Any] = {}

    def _look(self, number: int) -> None:
        self.ran.append(number)

    def call(self, number: int, seconds: float, size: int, *parts: Value) -> Value:
        self._look(number)
        time.sleep(seconds)
        return number + total(parts), bytes(size)

    def keep(self, number: int, refs: list[Any]) -> Value:
        self._look(number)
        self.kept[number] = refs
        return number, b""

    def give(self, number: int) -> dict[int, int]:
        self._look(number)
        return {of: total(ray.get(refs)) for of, refs in list(self.kept.items())}


class Threaded(Counter):
    """Several calls at once: no order is promised."""

    def _look(self, number: int) -> None:
        """Nothing to judge."""


ordered = ray.remote(max_restarts=-1, max_task_retries=-1)(Counter)
threaded = ray.remote(max_restarts=-1, max_task_retries=-1, max_concurrency=3)(Threaded)
