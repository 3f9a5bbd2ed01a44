"""Runs methods of compiled graphs in their turns: the way of `Execution` without what most of them have no need of.

Their arguments come through channels, refer to nothing and need not be brought; nobody cancels or
retries them. Whatever is not so goes the usual way. Never decides which method comes next.
"""

from typing import TYPE_CHECKING

from raysim.protocol.host import Outcome, ReturnValue, RunnableTask
from raysim.protocol.messages import TaskStatus
from raysim.runtime.execution import call_user_code
from raysim.runtime.serialization import load_plain, serialize_plain

if TYPE_CHECKING:
    from raysim.runtime.execution import Execution


class Steps:
    def __init__(self, execution: "Execution") -> None:
        self._execution = execution

    def run(self, task: RunnableTask) -> Outcome:
        call, execution = task.call, self._execution
        if call.args:
            return execution.run(task)
        args = []
        try:
            for arg in task.args:
                if not arg.is_plain or arg.payload is None:
                    return execution.run(task)
                args.append(load_plain(arg.payload))
        except Exception:  # noqa: BLE001  (it comes again, and is told there)
            return execution.run(task)
        name = call.method
        try:
            result = call_user_code(execution.method(name), args, {})
            del args
            data = serialize_plain(result) if call.num_returns == 1 else None
            if data is not None:
                return Outcome(TaskStatus.OK, [ReturnValue([data], len(data), [])])
            return execution.outcome_of(task, name, result, None)
        except BaseException as error:  # noqa: BLE001  (whatever user code raises is its result)
            return execution.failed(task, name, error, None)
