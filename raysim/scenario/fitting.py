"""Whether the parts of a scenario fit together: tasks on nodes, faults in the cluster. Never judges one part."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from raysim.config import Config
from raysim.faults import plan_faults
from raysim.policies import create
from raysim.policies.eviction import create_eviction
from raysim.policies.orders import create_order
from raysim.policies.scaling import create_scaling
from raysim.scenario.document import Path
from raysim.scenario.model import Cluster, GraphWorkload, Scenario, WorkflowWorkload
from raysim.scenario.planned import plans
from raysim.scenario.replay import Replay
from raysim.scenario.workflow import Workflow
from raysim.spec.units import NANOSECONDS

_NOUNS: Final = (
    ("cores", "give the nodes more cpus"),
    ("GPUs", "give nodes more gpus, or leave such tasks out of a trace with `where`"),
    ("bytes of memory", "give nodes more memory"),
)


def expected_makespan_ns(scenario: Scenario, workflow: Workflow | None) -> int | None:
    """The lower bound on the whole cluster, which shares such as `at=33%` are of."""
    cpus = scenario.cluster.most_cpus()
    if workflow is None or cpus <= 0:
        return None
    return round(workflow.lower_bound_s(cpus) * NANOSECONDS["s"])


def misfits(scenario: Scenario, workflow: Workflow | None) -> Iterator[tuple[Path, str]]:
    """What each part says that another part cannot have."""
    yield from _unknown_policies(scenario)
    groups = scenario.cluster.node_groups()
    yield from _unplanned(scenario, workflow)
    if workflow is not None:
        yield from ((("cluster",), what) for what in _too_large(workflow, scenario.cluster))
        yield from ((("cluster",), what) for what in _without_model(workflow, scenario.cluster))
    for index, fault in enumerate(scenario.faults):
        try:
            plan_faults(
                [fault],
                nodes=len(groups),
                expected_makespan_ns=expected_makespan_ns(scenario, workflow),
                rng=Random(0),
            )
        except ValueError as error:
            yield ("faults", index), str(error)


def _unknown_policies(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    named: list[tuple[Path, str, Callable[[str], object]]] = [
        (("policy",), scenario.policy, lambda text: create(text, Config())),
        (("queue",), scenario.queue, create_order),
        (("eviction",), scenario.eviction, create_eviction),
    ]
    growing = scenario.cluster.autoscaler
    if growing is not None:
        named.append((("cluster", "autoscaler", "policy"), growing.policy, create_scaling))
    for at, text, make in named:
        try:
            make(text)
        except ValueError as error:
            yield at, str(error)


def _unplanned(scenario: Scenario, workflow: Workflow | None) -> Iterator[tuple[Path, str]]:
    """What there is to plan, and the nodes that its runtimes are of."""
    nodes = len(scenario.cluster.node_groups())
    if workflow is not None and workflow.by_node:
        task = workflow.order[0]
        if len(task.runtimes_s) != nodes:
            yield (
                ("cluster",),
                f"the workflow has runtimes for {len(task.runtimes_s)} nodes, not {nodes}",
            )
    try:
        planned = plans(scenario.policy)
    except ValueError:
        return  # It was told.
    if planned and not isinstance(scenario.workload, WorkflowWorkload | GraphWorkload):
        what = f"policy {scenario.policy!r} plans workflows, and the workload is none (kind: {scenario.workload.kind})"
        yield ("policy",), f"{what}; give it another policy, such as least_loaded"


def _too_large(workflow: Workflow, cluster: Cluster) -> Iterator[str]:
    """The first task that no node can ever have."""
    kinds = cluster.autoscaler.kinds.values() if cluster.autoscaler else ()
    nodes = [(node.cpus, node.gpus, node.memory) for node in (*cluster.groups(), *kinds)]
    for need, task in workflow.needs.items():
        if any(all(map(operator.le, need, node)) for node in nodes):
            continue
        most = [max(of) for of in zip(*nodes, strict=True)]
        for asked, has, (noun, more) in zip(need, most, _NOUNS, strict=True):
            if asked > has:
                yield f"task {task!r} needs {asked:g} {noun}, but the largest node has {has:g}; {more}"
                return
        shown = ", ".join(
            f"{asked:g} {noun}" for asked, (noun, _) in zip(need, _NOUNS, strict=True) if asked
        )
        yield f"task {task!r} needs {shown}, and no node has them together; add such a node"
        return


def _without_model(workflow: Workflow, cluster: Cluster) -> Iterator[str]:
    """The first task that names models of GPUs of which no node has one."""
    if not isinstance(workflow, Replay):
        return
    models = {group.gpu_model for group in cluster.groups()}
    for task in workflow.traced:
        if task.gpu_models and models.isdisjoint(task.gpu_models):
            named = " or ".join(task.gpu_models)
            yield f"task {task.id!r} needs GPUs of the model {named}, which no node has; give some nodes a `gpu_model`"
            return
