"""What a scenario file may say, as pydantic models. Never opens the files that it names.

The keys and their meanings are documented on the fields; the schema and the reference are generated
from here. Durations become nanoseconds, sizes bytes, bandwidths bytes per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from raysim.scenario.fields import (
    Amount,
    Bandwidth,
    Count,
    Duration,
    NodeCount,
    ReadArrivals,
    ReadEviction,
    ReadExpectation,
    ReadFault,
    ReadOrder,
    ReadPolicy,
    ReadShape,
    Size,
    TaskCpus,
    TaskDuration,
)
from raysim.scenario.growth import Autoscaler
from raysim.scenario.part import Part
from raysim.scenario.trace_model import RequestTrace, TraceWorkload


class Network(Part):
    """The links between nodes. What is not given keeps the backend's measured default."""

    latency: Duration | None = None
    """One way, between any two nodes."""
    local_latency: Duration | None = None
    """One way, between two processes of a node."""
    bandwidth: Bandwidth | None = None
    """Of each node's link, shared by the transfers on it."""
    shared: bool = True
    """Whether objects that move at the same time share a link; else each has all of it, and other
    messages take the latency only, as the theory of scheduling has it."""
    message: Duration | None = None
    """Of a process's time, to send or to read a message that is not about calls."""
    call: Duration | None = None
    """Of a process's time, to send or to read of a call that it is pushed, or has ended."""
    sleep: Duration | None = None
    """That a sleep takes beyond its time, and synthetic work with it."""
    worker_start: Duration | None = None
    """From asking for a worker process to its first message."""
    worker_start_alone: Duration | None = None
    """Of it, what a node spends on no other worker: starts at once take turns."""
    resets: bool = False
    """Whether the peers of a killed node see broken connections at once, as after `kill -9` of its
    processes; else they hear nothing until a health check finds it, as after loss of power."""


class NodeGroup(Part):
    """Nodes that are alike."""

    count: NodeCount = 1
    """How many."""
    cpus: Amount = 4
    """Cores of each node."""
    gpus: Amount = 0
    """Of each node."""
    gpu_model: str = ""
    """Of its GPUs, for tasks of a trace that name models."""
    memory: Size = 0
    """Of each node, for tasks that ask for some; 0: nobody counts it."""
    resources: dict[str, Amount] = Field(default={})
    """Custom resources, by name."""
    labels: dict[str, str] = Field(default={})
    """Of each node, for programs that select nodes by labels."""
    object_store: Size | None = None
    """Capacity of each node's object store."""
    speed: Annotated[float, Field(gt=0, le=1, strict=False)] = 1
    """Of each node, the fastest having 1: what a workflow's task or a synthetic one takes there is its
    duration divided by this."""
    cost_per_hour: Amount = 0
    """Of each node, in whatever currency: the figure `cost` adds them up."""


class MachineList(Part):
    """Machines of a cluster, as a file has them."""

    format: Literal["openb"]
    """`openb`: Alibaba's nodes, with the models of their GPUs."""
    file: str
    """Beside the scenario file, or absolute."""
    with_gpus: bool = False
    """Only those that have GPUs."""


class Cluster(Part):
    """The machines. The first node is the head: it holds the GCS, and the driver runs there."""

    nodes: NodeCount | Annotated[list[NodeGroup], Field(min_length=1)] = 1
    """How many nodes, all alike; or a list of groups, in which case each group has its own cpus."""
    cpus: Amount | None = None
    """Cores of each node where `nodes` is a number. Default 4."""
    machines: MachineList | None = None
    """In place of `nodes`: a list of machines that was published."""
    network: Literal["free"] | Network = Network()
    """`free`: messages and bytes cost nothing, neither do leases and workers' starts."""

    autoscaler: Autoscaler | None = None
    """Nodes that come and go beside these; on the simulator only."""

    @model_validator(mode="after")
    def _cpus_once(self) -> Cluster:
        if self.cpus is not None and not isinstance(self.nodes, int):
            raise ValueError("'cpus' stands twice: where 'nodes' is a list, each group has its own")
        if self.machines is not None and self.model_fields_set & {"nodes", "cpus"}:
            raise ValueError("'machines' says which nodes there are; leave out 'nodes' and 'cpus'")
        return self

    def groups(self) -> list[NodeGroup]:
        """The groups, also where the file gives a number only."""
        if isinstance(self.nodes, int):
            cpus = NodeGroup().cpus if self.cpus is None else self.cpus
            return [NodeGroup(count=self.nodes, cpus=cpus)]
        return self.nodes

    def node_groups(self) -> list[NodeGroup]:
        """One entry a node, in the order of the nodes' numbers."""
        return [group for group in self.groups() for _ in range(group.count)]

    def cost_of(self, hours: Mapping[str, float]) -> float | None:
        """Of these hours of nodes by name: `node-0`, or of a kind of the autoscaler's; None where nothing costs."""
        prices = {f"node-{at}": group.cost_per_hour for at, group in enumerate(self.node_groups())}
        kinds = self.autoscaler.kinds if self.autoscaler else {}
        per_kind = {name: kind.cost_per_hour for name, kind in kinds.items()}
        if not any((*prices.values(), *per_kind.values())):
            return None
        return sum(
            (prices[name] if name in prices else per_kind.get(name.rpartition("-")[0], 0)) * lasted
            for name, lasted in hours.items()
        )

    def total_cpus(self) -> float:
        """Cores of the whole cluster, at the start."""
        return sum(group.cpus * group.count for group in self.groups())

    def counts_memory(self) -> bool:
        """Whether any node says how much it has."""
        kinds = self.autoscaler.kinds.values() if self.autoscaler else ()
        return any(node.memory for node in (*self.groups(), *kinds))

    def most_cpus(self) -> float:
        """Cores that it may have at once."""
        return self.total_cpus() + (self.autoscaler.most_cpus() if self.autoscaler else 0)

    def total_gpus(self) -> float:
        """GPUs of the whole cluster."""
        return sum(group.gpus * group.count for group in self.groups())


class WorkflowWorkload(Part):
    """A workflow in WfFormat: each task runs for its runtime and leaves files of their sizes."""

    kind: Literal["workflow"]
    file: str
    """Beside the scenario file, or absolute."""


class ProgramWorkload(Part):
    """A Python program that uses raysim."""

    kind: Literal["program"]
    file: str
    """Beside the scenario file, or absolute."""
    args: list[str] = Field(default=[])
    """On its command line."""


class TasksWorkload(Part):
    """Tasks that do not depend on each other."""

    kind: Literal["tasks"]
    count: Count
    """How many."""
    duration: TaskDuration
    """Of each task, such as `2s` or `exponential(mean=2s)`."""
    cpus: TaskCpus = 1
    """Of each task, such as `2` or `empirical(values=1+1+4)`."""
    gpus: TaskCpus = 0
    """Of each task: a share of one, such as `0.3`, or whole ones; `empirical(values=0.25+0.5+1)`."""
    result_size: Size = 0
    """Of each task's result."""
    arrivals: ReadArrivals | None = None
    """When they are submitted, such as `poisson(rate=10/s)`; not given: all at the start."""
    users: Count = 1
    """Whose tasks they are, drawn for each: the figures of fairness compare `user_0`, `user_1` and so on, and an order
    of the `queue` may divide the nodes among them."""
    deadline: TaskDuration | None = None
    """How long after its submission each task is to have ended; the figure `deadline_misses` counts the others."""


class GraphWorkload(Part):
    """Tasks that wait for each other, in a shape; each reads the results of those that it waits for."""

    kind: Literal["graph"]
    shape: ReadShape
    """`chain(length)`, `fork_join(width, stages)`, `map_reduce(maps, reduces)`, `tree(depth, branching)`,
    `reduction(leaves, branching)`, or `layered(layers, width, density)`, which is random."""
    duration: TaskDuration
    """Of each task, such as `2s` or `exponential(mean=2s)`."""
    cpus: TaskCpus = 1
    """Of each task."""
    result_size: Size = 0
    """Of each task's result."""


class ServiceWorkload(Part):
    """Requests to replicas of a service, drawn or of a trace. Their latency is `task_time`, their wait at a replica
    `task_wait`."""

    kind: Literal["service"]
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Actors, all alike, that run for as long as the service does."""
    cpus: Amount = 1
    """Of each replica."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Requests that a replica answers at once."""
    router: Literal["power_of_two", "least_outstanding", "round_robin", "random"] = "power_of_two"
    """Which replica gets a request: of two drawn ones, or of all, the one with fewer requests under way; each in turn;
    any. The first is Ray Serve's."""
    count: Count | None = None
    """Of requests. This, `duration` and `arrivals` are needed where there is no `trace`."""
    duration: TaskDuration | None = None
    """That a replica takes for each, such as `exponential(mean=200ms)`."""
    arrivals: ReadArrivals | None = None
    """When they come, such as `poisson(rate=10/s)`, from when all replicas answer."""
    trace: RequestTrace | None = None
    """In place of these three: requests that were recorded."""
    deadline: TaskDuration | None = None
    """How long after it came each is to be answered; the figure `deadline_misses` counts the others."""

    @model_validator(mode="after")
    def _says_which_requests(self) -> ServiceWorkload:
        drawn = {name: getattr(self, name) for name in ("count", "duration", "arrivals")}
        for name, value in drawn.items():
            if value is None and self.trace is None:
                raise ValueError(f"{name!r} is missing; give it, or the `trace` of requests")
            if value is not None and self.trace is not None:
                raise ValueError(f"{name!r} stands beside 'trace', which says it; leave it out")
        return self


Workload: TypeAlias = Annotated[
    WorkflowWorkload
    | ProgramWorkload
    | TasksWorkload
    | GraphWorkload
    | TraceWorkload
    | ServiceWorkload,
    Field(discriminator="kind"),
]


class Scenario(Part):
    """One experiment: machines, policy, work, what goes wrong, and what must hold.

    `include` and `sweep` are followed before the rest is read.
    """

    model_config = ConfigDict(
        strict=True, frozen=True, validate_by_name=True, use_attribute_docstrings=True
    )

    include: str | list[str] = Field(default=[])
    """Other files with parts of a scenario, beside this one. Mappings are merged key by key, anything else is replaced:
    a later file covers an earlier one, and this one covers them all."""
    sweep: dict[str, list[Any]] = Field(default={})
    """Fields with the values that they take: `policy: [hybrid, best_fit]`, `cluster.nodes: [4, 8]`. Each combination is
    a run of its own, and none of them sees this."""
    name: str = ""
    """Of the run, in its report; the file's own name where it is not given."""
    cluster: Cluster = Cluster()
    """The machines and the links between them."""
    policy: ReadPolicy = "hybrid"
    """Where tasks go: a name such as `best_fit`, with arguments as `power_of_d(d=3)`, or a class of your own,
    as `module:Class`, or as `file.py:Class` with a file beside the scenario. See docs/policies.md."""
    queue: ReadOrder = "fifo"
    """Whose turn it is where tasks wait for room: `sjf`, `easy`, `priority(preempt=true)`, or a class of your own,
    named as for `policy`. See docs/policies.md."""
    eviction: ReadEviction = "lru"
    """Which object leaves a full store first: `lru`, `gdsf`, `largest_first`, or a class of your own, named as for
    `policy`. See docs/policies.md."""
    workload: Workload
    """What runs: `tasks`, a `graph` of them, a `workflow`, a `trace`, a `service` under requests, or a `program`."""
    faults: list[ReadFault] = Field(default=[])
    """Such as `kill_node(at=33%)`: a share is of the expected makespan, which is the lower bound
    max(critical path, work / cores) on the whole cluster; a program has none, so give a time."""
    seed: int = 0
    """Of every random choice."""
    expectations: list[ReadExpectation] = Field(default=[], alias="assert")
    """What must hold at the end, such as `lost_objects == 0` or `makespan_s < 2m`."""
