"""A planned workflow -> submitted tasks that keep to the plan, in any world. Never makes a plan, never waits.

Each task wishes for its node, and waits for the one before it on its lane as for a parent, so that nobody
overtakes. What a lane runs next may need files of another node: a task without cores that only reads them
brings them there as soon as they are written, while the lane still computes. Should a node be lost, its
tasks go where there is room, and the order stays.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from raysim.backend import Backend, RemoteTarget, TaskOptions
from raysim.scenario.planned import Plan
from raysim.scenario.workflow import Workflow, WorkflowTask
from raysim.spec.ids import NodeId
from raysim.spec.task import NodeAffinity, Work

if TYPE_CHECKING:
    from raysim.runtime.object_ref import ObjectRef


class Following:
    """Submits task after task, in the order of the plan."""

    def __init__(
        self,
        workflow: Workflow,
        backend: Backend,
        target: RemoteTarget,
        plan: Plan,
        nodes: Sequence[NodeId],
    ) -> None:
        self._workflow = workflow
        self._backend = backend
        self._target = target
        self._plan = plan
        self._nodes = nodes
        self._number = {task.id: at for at, task in enumerate(workflow.order)}
        self._readers = Counter(file for task in workflow.order for file in task.inputs)
        self._files: dict[str, ObjectRef] = {}
        self._brought: dict[tuple[str, int], ObjectRef] = {}
        """By file and node, a token for its being there."""
        self.tokens: dict[int, ObjectRef] = {}
        """By the task's place in the workflow's order."""
        self.results: list[ObjectRef] = []

    def submit(self, at: int, options: TaskOptions) -> None:
        task, place = self._workflow.order[at], self._plan.places[at]
        read = [file for file in task.inputs if file in self._workflow.writers]
        writers = {self._writer(file) for file in read}
        ahead = [*(self._number[parent] for parent in task.parents), place.behind]
        waits = dict.fromkeys(one for one in ahead if one is not None and one not in writers)
        brought = [self._bring(file, place.node) for file in read]
        arguments = (
            *(self._files[file] for file in read),
            *(token for token in brought if token is not None),
            *(self.tokens[one] for one in waits),
        )
        token, *written = self._backend.submit_task(self._target, options, arguments, {})
        self.tokens[at] = token
        self._keep(task, written)

    def strategy(self, at: int) -> NodeAffinity:
        return NodeAffinity(self._nodes[self._plan.places[at].node], soft=True)

    def _writer(self, file: str) -> int:
        return self._number[self._workflow.writers[file]]

    def _bring(self, file: str, node: int) -> ObjectRef | None:
        if self._plan.places[self._writer(file)].node == node:
            return None
        token = self._brought.get((file, node))
        if token is None:
            options = TaskOptions(
                num_cpus=0,
                name="bring",
                hidden=True,
                strategy=NodeAffinity(self._nodes[node], soft=True),
                work=Work(0, (0,)),
            )
            [token] = self._backend.submit_task(self._target, options, (self._files[file],), {})
            self._brought[file, node] = token
        return token

    def _keep(self, task: WorkflowTask, written: Sequence[ObjectRef]) -> None:
        """A file's reference is dropped when its last reader is submitted."""
        for file, ref in zip(task.outputs, written, strict=True):
            if self._readers[file]:
                self._files[file] = ref
            else:
                self.results.append(ref)
        for file in task.inputs:
            self._readers[file] -= 1
            if not self._readers[file]:
                self._files.pop(file, None)

    @property
    def in_order(self) -> deque[ObjectRef]:
        return deque(self.tokens[at] for at in range(len(self.tokens)))
