"""What a method of a compiled graph returned, on its way to those that read it. Never which method runs next."""

from collections.abc import Callable
from functools import partial

from raysim.protocol.executor.part import Part
from raysim.protocol.host import Outcome, ProcessHost, ReturnValue
from raysim.protocol.messages import ChannelOutput
from raysim.protocol.owner import Owner
from raysim.protocol.owner.channels import write_straight
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId, TaskId, return_id


class StepResults:
    """`done` is called once all results of a step are written, and what they were made of may change."""

    def __init__(self, host: ProcessHost, owner: Owner, done: Callable[[Part], None]) -> None:
        self._host = host
        self._objects = owner.objects
        self._channels = owner.channels
        self._done = done

    def write(self, part: Part, task_id: TaskId, outcome: Outcome) -> None:
        """With the lock, or in the part's own thread without it."""
        part.unwritten = 1
        outputs, number = part.steps[part.at].outputs, part.number
        if outcome.failure is not None:
            for output in outputs:
                self._write_failure(part, output, outcome.failure)
            outputs = []
        for index, output in enumerate(outputs):
            value = outcome.returns[index]
            left: ChannelOutput | None = output
            if not value.contained:
                left = write_straight(
                    part.outlets, number, output, value.parts, value.size, value.is_error
                )
            if left is None:
                continue
            if self._channels.fits(value):
                self._write_inline(part, left, value)
            else:
                # It may be the actor's own array: the next method comes after it was copied.
                part.unwritten += 1
                self._store(part, left, value, return_id(task_id, index))
        self._written(part)

    def _write_failure(self, part: Part, output: ChannelOutput, failure: Failure) -> None:
        with self._host.lock:
            if not part.closed:
                self._channels.write_failure(part.graph_id, part.number, output, failure)

    def _write_inline(self, part: Part, output: ChannelOutput, value: ReturnValue) -> None:
        with self._host.lock:
            if part.closed:
                self._objects.drop_holds(value.contained)
            else:
                self._channels.write_inline(
                    part.graph_id,
                    part.number,
                    output,
                    b"".join(value.parts),
                    value.contained,
                    value.is_error,
                )

    def _store(self, part: Part, output: ChannelOutput, value: ReturnValue, name: ObjectId) -> None:
        with self._host.lock:
            if part.closed:
                self._objects.drop_holds(value.contained)
                return
            self._channels.store(
                part.graph_id,
                part.number,
                output,
                value,
                name,
                lambda: not part.closed,
                partial(part.do, partial(self._written, part)),
            )

    def _written(self, part: Part) -> None:
        part.unwritten -= 1
        if part.unwritten == 0 and not part.closed:
            self._done(part)
