"""A service under requests: replicas that are actors, and a router to them. Never waits for an answer.

The routers: "The Power of Two Choices in Randomized Load Balancing" (Mitzenmacher, 2001), which Ray Serve uses, and
those that it is compared with.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from raysim.backend import ActorOptions, ActorRecord, Backend, CallOptions, RemoteTarget
from raysim.runtime.current import current
from raysim.scenario.bag import Bag
from raysim.scenario.model import ServiceWorkload, TasksWorkload
from raysim.scenario.traces.requests import TracedRequest
from raysim.scenario.workflow import Need
from raysim.spec.units import NANOSECONDS

_RETRIES: Final = 3
"""Of a request whose replica dies, as of a task. Ray: `max_retries`."""


class Requests(Bag):
    """What is asked of a service, as tasks that come and take their share of a replica's cores.

    `traced`: those of its trace, where it has one; else they are drawn.
    """

    def __init__(
        self, service: ServiceWorkload, seed: int = 0, traced: Sequence[TracedRequest] = ()
    ) -> None:
        share = service.cpus / service.concurrency
        asked = {
            name: getattr(service, name) for name in ("count", "duration", "arrivals", "deadline")
        }
        if traced:
            asked.update(count=len(traced), duration=0)
        super().__init__(TasksWorkload.model_construct(kind="tasks", cpus=share, **asked), seed)
        self.traced = traced
        if traced:
            self.alike = False
            self.arrivals_s = array("d", (one.submit_s for one in traced))
        self.name = "requests"
        self.service = service
        self.routing = Random(f"{seed}/workload/routing")

    def _duration_ns(self, index: int) -> float:
        if self.traced:
            return self.traced[index].duration_s * NANOSECONDS["s"]
        return super()._duration_ns(index)

    def _name(self, index: int) -> str:
        return f"request_{index:0{self._width}d}"

    @property
    def needs(self) -> Mapping[Need, str]:
        return {Need(self.service.cpus, 0, 0): "replica"}


class Replica:
    """Takes as long for a request as the request says."""

    def answer(self, seconds: float) -> None:
        backend = current()
        assert backend is not None, "an actor runs in a world"
        backend.sleep(seconds)


def submit_requests(
    requests: Requests,
    backend: Backend,
    time_scale: float,
    sleep_until: Callable[[float], None],
) -> list[Any]:
    """Start the replicas, then send each request when it comes; a reference to each answer.

    The clock of the requests starts when all replicas answer.
    """
    service = requests.service
    begun_s = backend.now()
    replicas = _start(service, backend)
    ready_s = backend.now() - begun_s
    arrivals_s = requests.arrivals_s
    assert arrivals_s is not None, "a service without arrivals was refused"
    router = _Router(replicas, service.router, requests.routing, backend)
    answers: list[Any] = []
    for request, at_s in zip(requests.order, arrivals_s, strict=True):
        sleep_until(ready_s + at_s * time_scale)
        answers.append(router.send(request.runtime_s * time_scale))
    return answers


def _start(service: ServiceWorkload, backend: Backend) -> Sequence[ActorRecord]:
    target = RemoteTarget(Replica, "Replica")
    options = ActorOptions(
        num_cpus=service.cpus,
        max_concurrency=service.concurrency,
        max_restarts=-1,
        max_task_retries=_RETRIES,
    )
    replicas = [backend.create_actor(target, options, (), {}) for _ in range(service.replicas)]
    first = [
        backend.call_actor(one.actor_id, "answer", CallOptions(), (0.0,), {})[0] for one in replicas
    ]
    backend.get(first, None)
    return replicas


class _Router:
    """Which replica is next. It knows what it has sent and what was answered, and nothing else."""

    def __init__(
        self, replicas: Sequence[ActorRecord], how: str, rng: Random, backend: Backend
    ) -> None:
        self._replicas = replicas
        self._under_way: list[deque[Any]] = [deque() for _ in replicas]
        self._how = how
        self._rng = rng
        self._backend = backend
        self._sent = 0

    def send(self, seconds: float) -> Any:
        chosen = self._choose()
        actor_id = self._replicas[chosen].actor_id
        (answer,) = self._backend.call_actor(actor_id, "answer", CallOptions(), (seconds,), {})
        self._under_way[chosen].append(answer)
        self._sent += 1
        return answer

    def _choose(self) -> int:
        count = len(self._replicas)
        match self._how:
            case "round_robin":
                return self._sent % count
            case "random":
                return self._rng.randrange(count)
            case "least_outstanding":
                return min(range(count), key=self._outstanding)
            case _:
                drawn = self._rng.sample(range(count), min(2, count))
                return min(drawn, key=self._outstanding)

    def _outstanding(self, replica: int) -> int:
        waiting = self._under_way[replica]
        if waiting:
            _, left = self._backend.wait(list(waiting), len(waiting), 0, False)
            self._under_way[replica] = deque(left)
        return len(self._under_way[replica])
