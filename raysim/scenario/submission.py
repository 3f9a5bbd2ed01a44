"""A workflow -> submitted tasks, in any world. Never waits for a task, never reads a clock.

Each task is synthetic: it occupies its cores for its runtime and leaves its files. Its first return
is an empty token; the others are its files. A file's reference is dropped when its last reader is
submitted, so that the file is freed once it was read; files that nobody reads are the workflow's
results and are kept. Files that no task writes stand on shared storage and move nothing.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from msgspec.structs import replace

from raysim.backend import Backend, RemoteTarget, TaskOptions
from raysim.scenario.bag import Bag
from raysim.scenario.following import Following
from raysim.scenario.model import Cluster
from raysim.scenario.planned import Plan, plan
from raysim.scenario.preparation import await_nodes
from raysim.scenario.service import Requests, submit_requests
from raysim.scenario.workflow import Workflow, WorkflowTask
from raysim.spec.ids import NodeId, ObjectId, TaskId, task_of_object
from raysim.spec.labels import ACCELERATOR_TYPE, Expression, Operator, Selector
from raysim.spec.task import Claim, Work
from raysim.spec.units import NANOSECONDS

if TYPE_CHECKING:
    from raysim.runtime.object_ref import ObjectRef

_NUMBERING: Final = re.compile(r"[_\-.]?(?:ID)?\d[\d_\-.]*$")


@dataclass(frozen=True)
class Where:
    """The nodes, for a workflow that cares."""

    nodes: Sequence[NodeId]
    speeds: Sequence[float]
    plan: Plan | None = None

    def durations_ns(self, task: WorkflowTask, scale: float) -> dict[NodeId, int]:
        """On those nodes on which it takes another time."""
        pairs = zip(self.nodes, enumerate(self.speeds), strict=True)
        lasts = {node: task.runtime_ns(at, speed, scale) for node, (at, speed) in pairs}
        same = task.runtime_ns(scale=scale)
        return {node: ns for node, ns in lasts.items() if ns != same}


@dataclass(frozen=True)
class Submitted:
    """A workflow under way: a token for each task, and what must be kept until the end."""

    tokens: deque[ObjectRef]
    """In the order of the workflow; ready when the task ended. Whoever waits takes them out."""
    results: Sequence[ObjectRef]
    """Files that no task reads."""
    task_ids: Sequence[TaskId]


def where_of(workflow: Workflow, cluster: Cluster, policy: str, backend: Backend) -> Where | None:
    """The nodes, once they stand, where it matters on which one a task runs."""
    groups = cluster.node_groups()
    made = plan(workflow, cluster, policy)
    if made is None and not workflow.by_node and all(group.speed == 1 for group in groups):
        return None
    ids = [NodeId(bytes.fromhex(node)) for node in await_nodes(backend, len(groups))]
    return Where(ids, [group.speed for group in groups], made)


def submit_workflow(
    workflow: Workflow,
    backend: Backend,
    time_scale: float = 1.0,
    sleep_until: Callable[[float], None] | None = None,
    where: Where | None = None,
) -> Submitted:
    """Submit every task, each after what it waits for; durations and arrivals times `time_scale`.

    Sizes as well: at the bandwidth that there is, a transfer then takes its share of the time. All at once, but for
    tasks that arrive: `sleep_until` waits for the moment, in seconds from the start. Under a plan, each goes `where`
    that says.
    """
    if isinstance(workflow, Requests):
        assert sleep_until is not None, "requests come in time"
        return _submitted(submit_requests(workflow, backend, time_scale, sleep_until), [])
    target = RemoteTarget(_never_called, "workflow_task")
    if where is not None and where.plan is not None:
        return _submit_planned(workflow, backend, target, time_scale, where, where.plan)
    if isinstance(workflow, Bag) or workflow.arrivals_s is not None:
        return _submit_bag(workflow, backend, target, time_scale, sleep_until, where)
    readers = Counter(file for task in workflow.order for file in task.inputs)
    tokens: dict[str, ObjectRef] = {}
    files: dict[str, ObjectRef] = {}
    results: list[ObjectRef] = []
    for index, task in enumerate(workflow.order):
        arguments = _arguments(workflow, task, tokens, files)
        options = _options(workflow, index, task, time_scale, where)
        token, *written = backend.submit_task(target, options, arguments, {})
        tokens[task.id] = token
        for file, ref in zip(task.outputs, written, strict=True):
            if readers[file]:
                files[file] = ref
            else:
                results.append(ref)
        for file in task.inputs:
            readers[file] -= 1
            if not readers[file]:
                files.pop(file, None)
    return _submitted(tokens.values(), results)


def _submit_bag(
    bag: Workflow,
    backend: Backend,
    target: RemoteTarget,
    time_scale: float,
    sleep_until: Callable[[float], None] | None,
    where: Where | None,
) -> Submitted:
    """Where its tasks are alike they share their options; nothing is read."""
    said = (bag.users, bag.deadlines_s, bag.requested_s, bag.priorities)
    alike = bag.alike and said == (None,) * len(said)
    same = _options(bag, 0, bag.order[0], time_scale, where) if alike else None
    arrivals_s = bag.arrivals_s
    tokens: list[ObjectRef] = []
    results: list[ObjectRef] = []
    for index in range(len(bag.order)):
        if arrivals_s is not None and sleep_until is not None:
            sleep_until(arrivals_s[index] * time_scale)
        options = same or _options(bag, index, bag.order[index], time_scale, where)
        token, *written = backend.submit_task(target, options, (), {})
        tokens.append(token)
        results += written
    return _submitted(tokens, results)


def _submit_planned(
    workflow: Workflow,
    backend: Backend,
    target: RemoteTarget,
    time_scale: float,
    where: Where,
    plan: Plan,
) -> Submitted:
    following = Following(workflow, backend, target, plan, where.nodes)
    for at in plan.turns:
        options = _options(workflow, at, workflow.order[at], time_scale, where)
        following.submit(at, replace(options, strategy=following.strategy(at)))
    return _submitted(following.in_order, following.results)


def _submitted(tokens: Collection[ObjectRef], results: list[ObjectRef]) -> Submitted:
    task_ids = [task_of_object(ObjectId(token.binary())) for token in tokens]
    return Submitted(deque(tokens), results, task_ids)


def stage(name: str) -> str:
    """The name without its number: tasks of one stage follow each other on one lease."""
    return _NUMBERING.sub("", name) or name


def _never_called(*_: object) -> NoReturn:
    raise AssertionError("a synthetic task runs no Python")


def _arguments(
    workflow: Workflow, task: WorkflowTask, tokens: dict[str, Any], files: dict[str, Any]
) -> tuple[Any, ...]:
    """The files that the task reads, and the tokens of those parents whose files it does not."""
    read = [file for file in task.inputs if file in workflow.writers]
    writers = {workflow.writers[file] for file in read}
    order_only = [tokens[parent] for parent in task.parents if parent not in writers]
    return (*(files[file] for file in read), *order_only)


def _of_models(models: tuple[str, ...]) -> tuple[Selector, ...]:
    return ((Expression(ACCELERATOR_TYPE, Operator.IN, models),),) if models else ()


def _options(
    workflow: Workflow, index: int, task: WorkflowTask, time_scale: float, where: Where | None
) -> TaskOptions:
    sizes = tuple(round(workflow.size_of(file) * time_scale) for file in task.outputs)
    duration_ns = task.runtime_ns(scale=time_scale)
    elsewhere = {} if where is None else where.durations_ns(task, time_scale)
    return TaskOptions(
        num_cpus=task.cores,
        num_gpus=task.gpus,
        memory=task.memory,
        selectors=_of_models(task.gpu_models),
        num_returns=1 + len(sizes),
        name=stage(task.name),
        work=Work(duration_ns, (0, *sizes), elsewhere),
        claim=_claim(workflow, index, time_scale * NANOSECONDS["s"], duration_ns),
    )


def _claim(workflow: Workflow, index: int, second_ns: float, duration_ns: int) -> Claim:
    """What is known of the task beforehand; it can stop half-way, as no Python runs."""
    users, deadlines_s = workflow.users, workflow.deadlines_s
    requested_s = workflow.requested_s[index] if workflow.requested_s else None
    return Claim(
        users[index] if users else "",
        duration_ns if requested_s is None else round(requested_s * second_ns),
        workflow.priorities[index] if workflow.priorities else None,
        round(deadlines_s[index] * second_ns) if deadlines_s else -1,
        preemptible=True,
    )
