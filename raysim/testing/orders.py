"""What every order of the queue has to keep, tried on a node where tasks come and end, then on a simulated one.

Never says whether an order is a good one: see `raysim run --queue`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

import raysim
from raysim.policies.orders import create_order
from raysim.policies.queue import UNKNOWN, Queue, QueueOrder, Ranking, Running, Waiting
from raysim.policies.ranks import FirstThatFits
from raysim.spec.resources import Resources, add, describe, fixed, subtract
from raysim.testing.policies import PolicyError

_TASKS: Final = 12
_S: Final = 1_000_000_000


def queue_order_suite(order: str, *, examples: int = 100) -> None:
    """Try an order, as `--queue` names it: `easy`, `priority(preempt=true)`, `module:Class`, `/path/to/mine.py:Mine`.

    It has to choose one that waits and has room, or nobody; somebody where nothing runs; to decide alike for the same
    queue and random numbers; to draw from the `rng` that it is given only; to leave alone what it is shown; and to
    stop only what can be. Then 200 tasks have to end on a simulated node.

    `examples`: nodes that are tried. Raises PolicyError with the case, ValueError where there is no such order,
    RuntimeError while connected.
    """
    create_order(order)
    for number in range(examples):
        first, second = (_Play(order, number).decisions() for _ in range(2))
        if first != second:
            raise PolicyError(
                f"{order} decides otherwise the second time, for the same queues and random numbers. Draw from the "
                "`rng` that it is given, read no clock, go over no set, and keep what is remembered in the object."
            )
    _try_a_run(order)


class _Play:
    """Tasks come, are served and end, as the seed has it."""

    def __init__(self, order: str, seed: int) -> None:
        self.name = order
        self.order: QueueOrder | Ranking = create_order(order) or FirstThatFits()
        self.draw = random.Random(f"{seed}: what comes")
        self.rng = random.Random(f"{seed}: the order")
        total = fixed({"CPU": self.draw.randint(1, 4), "GPU": self.draw.randint(0, 2)})
        self.total = total
        self.queue = Queue(0, total, dict(total), {}, {}, {})
        self.waiting: dict[int, Waiting] = {}
        self.running: dict[int, Running] = {}
        self.used: dict[str, Resources] = {}
        self.show()

    def show(self) -> None:
        queue = self.queue
        queue.waiting, queue.running, queue.used = self.waiting, self.running, self.used

    def decisions(self) -> list[object]:
        made: list[object] = []
        came = 0
        while came < _TASKS or self.waiting:
            self.queue.now_ns += self.draw.randrange(_S)
            if came < _TASKS and self.draw.random() < 0.6:
                came += 1
                self.comes(came)
            elif self.running:
                self.ends(self.draw.choice(list(self.running)))
            while (task := self.next()) is not None:
                made.append(task.number)
                self.starts(task)
            if self.waiting and not self.running:
                raise PolicyError(f"{self.name} serves nobody, though nothing runs, for {self}")
            made.append(self.victim())
        return made

    def comes(self, number: int) -> None:
        draw, now = self.draw, self.queue.now_ns
        need = {name: draw.randint(0, units // 10_000) for name, units in self.total.items()}
        expected = draw.choice([UNKNOWN, 0, _S, 5 * _S])
        due = draw.choice([UNKNOWN, now + _S])
        user, priority = draw.choice("abc"), draw.randint(-1, 1)
        task = Waiting(number, fixed(need), user, now, expected, priority, due)
        self.waiting[number] = task

    def starts(self, task: Waiting) -> None:
        del self.waiting[task.number]
        subtract(self.queue.free, task.need)
        now, can_stop = self.queue.now_ns, self.draw.random() < 0.5
        self.running[task.number] = Running(
            task.number, task.need, task.user, now, task.expected_ns, task.priority, can_stop
        )

    def ends(self, number: int) -> None:
        one = self.running.pop(number)
        add(self.queue.free, one.need)
        for_ns = self.queue.now_ns - one.started_ns
        used = self.used.setdefault(one.user, {})
        add(used, {name: units * for_ns for name, units in one.need.items()})

    def next(self) -> Waiting | None:
        able = [task for task in self.waiting.values() if self.queue.fits(task)]
        if not able:
            return None
        found: Waiting | None = self.decided(lambda: _next(self.order, self.queue, able, self.rng))
        if found is None or any(found is task for task in able):
            return found
        which = f"task {getattr(found, 'number', found)}"
        raise PolicyError(
            f"{self.name} chooses {which}, which does not wait or has no room, for {self}"
        )

    def victim(self) -> int | None:
        victim = getattr(self.order, "victim", None)
        if victim is None or not self.waiting:
            return None
        found: Running | None = self.decided(lambda: victim(self.queue, self.rng))
        if found is None:
            return None
        if self.running.get(found.number) is not found or not found.preemptible:
            raise PolicyError(f"{self.name} stops what does not run or cannot stop, for {self}")
        return found.number

    def decided(self, decide: Callable[[], Waiting | Running | None]) -> Any:
        before, others = deepcopy(self.queue), random.getstate()
        try:
            found = decide()
        except Exception as error:
            raise PolicyError(f"{self.name} raises for {self}") from error
        if self.queue != before:
            raise PolicyError(f"{self.name} changes what it is shown, for {self}")
        if random.getstate() != others:
            raise PolicyError(
                f"{self.name} draws from the module `random`; it has an `rng` of its own"
            )
        return found

    def __str__(self) -> str:
        lines = [f"a node with {describe(self.queue.free)} free of {describe(self.total)}:"]
        lines += [
            f"  task {one.number} of {one.user} {state} {describe(one.need)}"
            for state, tasks in (("waits for", self.waiting), ("has", self.running))
            for one in tasks.values()
        ]
        return "\n".join(lines)


def _next(
    order: QueueOrder | Ranking, queue: Queue, able: list[Waiting], rng: random.Random
) -> Waiting | None:
    if hasattr(order, "rank"):
        return min(able, key=lambda task: (order.rank(task), task.number))
    return order.next(queue, rng)


def _try_a_run(order: str) -> None:
    raysim.init(backend="sim", num_cpus=2, _system_config={"queue": order})
    try:
        task = raysim.remote(lambda number: number)
        refs = [task.remote(number) for number in range(200)]
        _, waiting = raysim.wait(refs, num_returns=len(refs), timeout=3_600)
    finally:
        raysim.shutdown()
    if waiting:
        raise PolicyError(f"{order} lets {len(waiting)} of 200 tasks wait for an hour")
