"""What sending and receiving cost a process, which does one thing at a time. Never what a message says.

Only where costs say so: by default processes take no time for messages, and no run pays for the question.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from raysim.protocol.messages import Message, PushActorCalls, PushTasks, TasksDone
from raysim_sim.clock import Clock
from raysim_sim.costs import Costs

if TYPE_CHECKING:
    from raysim_sim.hosts import SimHost

_CALLS: Final[dict[type[Message], Callable[[Any], int]]] = {
    PushTasks: lambda message: len(message.calls),
    PushActorCalls: lambda message: len(message.calls),
    TasksDone: lambda message: len(message.results),
}
"""How many calls a message is about."""


class Handling:
    """Of all processes of a world."""

    def __init__(self, clock: Clock, costs: Costs) -> None:
        self._clock = clock
        self._message_ns = costs.message
        self._call_ns = costs.call
        self._free_ns: dict[bytes, int] = {}
        """By process: when it has done all that it has begun."""

    def take(self, host: "SimHost", message: Message) -> int:
        """Nanoseconds from now until it has sent or read this message, behind what it does already."""
        count = _CALLS.get(type(message))
        cost_ns = self._message_ns if count is None else self._call_ns * count(message)
        now_ns = self._clock._now
        worker = host.address.worker_id
        free_ns = max(now_ns, self._free_ns.get(worker, 0)) + cost_ns
        self._free_ns[worker] = free_ns
        return free_ns - now_ns

    def left(self, host: "SimHost") -> int:
        """Nanoseconds from now until it has done what it has begun."""
        return max(0, self._free_ns.get(host.address.worker_id, 0) - self._clock._now)
