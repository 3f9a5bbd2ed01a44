"""Samples what a run of a campaign is made of: cluster, knobs, order, kinds of fault, faults. Never runs it.

Swarm testing (Groce et al., ISSTA 2012): most bugs need some features on and others off, so each run has
whole kinds of fault switched on or off, instead of a little of everything. All choices come from a tape under
labels of their own, and 0 is always the simplest: one node, no fault, every knob as shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from raysim.config import MS, Config
from raysim.faults.buggify import Buggified
from raysim.faults.kinds import FAULTS
from raysim.faults.model import Fault
from raysim.faults.order import DELAYED, FIFO, PCT, RANDOM, Order, parse_order
from raysim.faults.sampling import sample_fault
from raysim.faults.text import fault_from_json, fault_to_json
from raysim.tape import Draws, Tape

SECOND: Final = 1_000 * MS


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How much may go wrong in one run, so that what is claimed of it stays true."""

    faults: int = 8
    """In all."""
    node_losses: int | None = None
    """Nodes that may be lost; None: all but the head."""
    worker_losses: int | None = None
    """Of workers and actors; None: any number. A task with n retries survives n."""
    kinds: tuple[str, ...] | None = None
    """Which kinds there may be; None: all that the simulator performs."""


class Swarm(msgspec.Struct, frozen=True, kw_only=True):
    """The limits within which profiles are sampled."""

    nodes: tuple[int, int] = (1, 6)
    cpus: tuple[int, int] = (1, 4)
    window_ns: int = 10 * SECOND
    """Faults strike within so long a time from the start."""
    budget: Budget = Budget()
    kinds_on: float = 0.35
    """Share of the kinds that are on in a run. Ours: with 30 kinds and 8 faults, most that are on strike."""
    knobs_changed: float = 0.2
    """Share of the knobs that are not as shipped."""
    groups_changed: float = 0.0
    """Share of the groups of knobs that are changed together, as one alone makes no difference."""
    words: Mapping[str, tuple[str, ...]] = {}
    """Knobs that are words, such as `policy`, with what is drawn for them in some of the runs; empty: in none."""
    words_changed: float = 0.25
    """Share of these knobs that are not as shipped."""
    orders: tuple[tuple[str, int], ...] = ((FIFO, 4), (RANDOM, 3), (PCT, 2), (DELAYED, 1))
    """With their weights. The first is the simplest."""
    buggify: Buggified | None = Buggified()
    """In half of the runs; None: in none."""
    small_stores: bool = True
    """Whether some runs have little room for objects."""
    quotas: tuple[int, ...] = ()
    """CPUs that the program's job may have at once, in a quarter of the runs; empty: as many as there are."""
    labels: tuple[Mapping[str, str], ...] = ()
    """What nodes beside the head have for labels, in half of the runs; empty: in none."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What one run is made of, besides its program and its seed."""

    nodes: int = 1
    cpus: int = 1
    object_store_memory: int | None = None
    labels: tuple[Mapping[str, str], ...] = ()
    """Of each node, the head first; those beyond have none."""
    quota: int | None = None
    """CPUs that the program's job may have at once; None: as many as there are."""
    network: dict[str, Any] = {}
    """Changes to the costs of the network, as `init(world={"network": ...})` takes them."""
    connection_resets: bool = False
    order: Order = Order()
    buggify: Buggified | None = None
    knobs: dict[str, float | str] = {}
    """Fields of raysim.config.Config that are not as shipped."""
    faults: tuple[Fault, ...] = ()

    def init_arguments(self, **world: Any) -> dict[str, Any]:
        """For `raysim.init`; `world` holds more options of the simulated world."""
        return {
            "backend": "sim",
            "nodes": self._labelled() if any(self.labels) else self.nodes,
            "num_cpus": self.cpus,
            "object_store_memory": self.object_store_memory,
            "_system_config": dict(self.knobs),
            "world": {
                "network": self.network or "lan",
                "connection_resets": self.connection_resets,
                "order": self.order,
                "buggify": self.buggify or False,
                "faults": list(self.faults),
                **world,
            },
        }

    def _labelled(self) -> list[dict[str, Any]]:
        like_head = {"num_cpus": self.cpus, "object_store_memory": self.object_store_memory}
        labels = [*self.labels, *({} for _ in range(self.nodes))]
        return [{**like_head, "labels": labels[index]} for index in range(self.nodes)]

    def to_json(self) -> dict[str, Any]:
        """Plain values; `profile_from_json` makes the same profile of them again."""
        plain: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "nodes",
                "cpus",
                "object_store_memory",
                "labels",
                "quota",
                "network",
                "connection_resets",
                "knobs",
            )
        }
        plain["order"] = str(self.order)
        plain["buggify"] = None if self.buggify is None else msgspec.to_builtins(self.buggify)
        plain["faults"] = [fault_to_json(fault) for fault in self.faults]
        return plain

    def __str__(self) -> str:
        """A line for each part that is not the simplest."""
        lines = [f"cluster: {_count(self.nodes, 'node')} with {_count(self.cpus, 'CPU')}"]
        if self.object_store_memory is not None:
            lines.append(f"stores: {self.object_store_memory} bytes")
        for index, labels in enumerate(self.labels[: self.nodes]):
            if labels:
                shown = ", ".join(f"{key}={value}" for key, value in labels.items())
                lines.append(f"labels of node {index}: {shown}")
        if self.quota is not None:
            lines.append(f"quota of the job: {_count(self.quota, 'CPU')}")
        if self.network:
            lines.append(f"network: {', '.join(f'{k}={v}' for k, v in self.network.items())}")
        if self.connection_resets:
            lines.append("a lost node's peers see their connections break")
        if self.order != Order():
            lines.append(f"order: {self.order}")
        if self.buggify is not None:
            lines.append(
                f"buggify: {self.buggify.places:.0%} of the places, {self.buggify.strikes:.0%} of the times"
            )
        lines += [f"{name} = {value}" for name, value in self.knobs.items()]
        lines += [str(fault) for fault in self.faults]
        return "\n".join(lines)


def profile_from_json(plain: Mapping[str, Any]) -> Profile:
    """Raises ValueError for a fault or an order that there is not."""
    values = dict(plain)
    rates = values.get("buggify")
    values["labels"] = tuple(values.get("labels", ()))
    values["order"] = parse_order(values.get("order", FIFO))
    values["buggify"] = None if rates is None else Buggified(**rates)
    values["faults"] = tuple(fault_from_json(fault) for fault in values.get("faults", ()))
    return Profile(**values)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- sampling ---

_KNOBS: Final[dict[str, tuple[float, ...]]] = {
    "max_inline_bytes": (1_000, 10_000),
    "chunk_bytes": (64 * 1024, 256 * 1024),
    "chunks_in_flight": (1, 16),
    "health_check_period_ns": (500 * MS, 1_000 * MS),
    "health_check_timeout_ns": (1_000 * MS, 3_000 * MS),
    "health_check_failure_threshold": (1, 2, 3),
    "resource_report_period_ns": (1 * MS, 10 * MS, 1_000 * MS),
    "node_watch_keep_ns": (1 * MS, 1_000_000 * MS),
    "request_retry_ns": (50 * MS, 200 * MS, 3_000 * MS),
    "max_spillback_hops": (1, 2, 64),
    "max_pending_lease_requests": (1, 1, 2, 100),
    "push_window_ns": (1, 100 * MS),
    "push_window_max": (1, 2, 16),
    "idle_lease_keep_ns": (0, 1 * MS, 1_000 * MS),
    "idle_worker_keep_ns": (0, 10 * MS),
    "worker_soft_limit": (0, 1),
    "store_full_timeout_ns": (1_000 * MS, 60_000 * MS),
    "seal_grace_ns": (1 * MS, 1_000 * MS),
    "object_spilling_threshold": (0.0, 0.001, 0.5),
    "min_spilling_size": (0, 1_000_000),
}
"""Values off what is shipped: the least and the largest that make sense, and some between."""

_GROUPS: Final[tuple[dict[str, float], ...]] = (
    {
        "health_check_period_ns": 200 * MS,
        "health_check_timeout_ns": 500 * MS,
        "health_check_failure_threshold": 1,
    },
    {"object_spilling_threshold": 0.0, "min_spilling_size": 0},
)
"""A node that is silent for a second is declared dead, instead of after a minute, when most programs have ended;
every object is written to disk."""

_LATENCIES: Final = ("10us", "1ms", "20ms")
_BANDWIDTHS: Final = ("100Mbit/s", "10Mbit/s")
_STORES: Final = (200_000_000, 50_000_000)


def sample(tape: Tape, swarm: Swarm | None = None) -> Profile:
    """A profile within the swarm's limits."""
    swarm = swarm or Swarm()
    cluster = Draws(tape, "swarm: cluster")
    nodes = cluster.between(*swarm.nodes)
    return Profile(
        nodes=nodes,
        cpus=cluster.between(*swarm.cpus),
        object_store_memory=_store(cluster) if swarm.small_stores else None,
        labels=_labels(Draws(tape, "swarm: labels"), swarm, nodes),
        quota=_quota(Draws(tape, "swarm: quota"), swarm),
        network=_network(Draws(tape, "swarm: network")),
        connection_resets=cluster.chance(0.5),
        order=_order(Draws(tape, "swarm: order"), swarm),
        buggify=swarm.buggify if Draws(tape, "swarm: buggify").chance(0.5) else None,
        knobs=_knobs(tape, swarm),
        faults=sample_faults(tape, swarm, nodes),
    )


def _store(draws: Draws) -> int | None:
    return draws.one_of(_STORES) if draws.chance(0.2) else None


def _labels(draws: Draws, swarm: Swarm, nodes: int) -> tuple[Mapping[str, str], ...]:
    if not swarm.labels or not draws.chance(0.5):
        return ()
    return ({}, *(draws.one_of(({}, *swarm.labels)) for _ in range(nodes - 1)))


def _quota(draws: Draws, swarm: Swarm) -> int | None:
    return draws.one_of(swarm.quotas) if swarm.quotas and draws.chance(0.25) else None


def _network(draws: Draws) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if draws.chance(0.3):
        changes["latency"] = draws.one_of(_LATENCIES)
    if draws.chance(0.2):
        changes["bandwidth"] = draws.one_of(_BANDWIDTHS)
    if draws.chance(0.1):
        changes["worker_start"] = "1s"
    return changes


def _order(draws: Draws, swarm: Swarm) -> Order:
    kind = draws.weighted(dict(swarm.orders))
    if kind == FIFO:
        return Order()
    bound_ns = draws.one_of((0, MS // 10, MS, 10 * MS))
    depth = draws.between(1, 5) if kind in (PCT, DELAYED) else Order().depth
    return Order(kind, depth=depth, bound_ns=bound_ns)


def _knobs(tape: Tape, swarm: Swarm) -> dict[str, float | str]:
    assert set(_KNOBS) <= set(Config.__struct_fields__), "a knob that Config does not have"
    draws = Draws(tape, "swarm: knobs")
    knobs: dict[str, float | str] = {}
    for name, values in _KNOBS.items():
        # Both in any case: each knob has its places on the tape.
        changed, value = draws.chance(swarm.knobs_changed), draws.one_of(values)
        if changed:
            knobs[name] = value
    groups = Draws(tape, "swarm: groups of knobs")
    for group in _GROUPS:
        if groups.chance(swarm.groups_changed):
            knobs |= group
    for name, texts in swarm.words.items():
        words = Draws(tape, f"swarm: {name}")
        if words.chance(swarm.words_changed):
            knobs[name] = words.one_of(texts)
    return knobs


def sample_faults(tape: Tape, swarm: Swarm, nodes: int) -> tuple[Fault, ...]:
    """In the order of their times. Never more than the budget has."""
    budget = swarm.budget
    switches = Draws(tape, "swarm: kinds")
    # Drawn in any case: each kind has its place on the tape.
    drawn = [kind for kind in FAULTS if switches.chance(swarm.kinds_on)]
    on = [kind for kind in drawn if _may(kind, budget, nodes)]
    if not on:
        return ()
    draws = Draws(tape, "swarm: faults")
    left = _Left(budget, nodes)
    faults: list[Fault] = []
    for _ in range(draws.between(0, budget.faults)):
        kind = draws.one_of(on)
        fault = sample_fault(kind, Draws(tape, f"swarm: {kind.tag()}"), swarm.window_ns, nodes)
        if left.allows(kind):
            faults.append(fault)
    return tuple(sorted(faults, key=lambda fault: fault.at))


LOSE_NODES: Final = (
    "kill_node",
    "restart_node",
    "drain_node",
    "kill_raylet",
    "pause_node",
    "pause_raylet",
    "isolate",
    "partition",
)
"""Kinds that can end in the loss of a node: at once, or because it was not heard of for too long."""
LOSE_WORKERS: Final = (
    "kill_worker", "kill_actor", "crash_constructor", "worker_out_of_memory", "memory_pressure",
)  # fmt: skip
_ALONE: Final = ("isolate", "partition", "bandwidth", "loss")
"""Kinds that need a second node."""
_ELSEWHERE: Final = ("no_capacity", "heal", "fail_constructor", "memory_pressure")
"""Kinds that need an autoscaler, are no trouble, or have a program end otherwise: asked for by name only."""


def _may(kind: type[Fault], budget: Budget, nodes: int) -> bool:
    tag = kind.tag()
    if budget.kinds is not None and tag not in budget.kinds:
        return False
    if tag in _ELSEWHERE and budget.kinds is None:
        return False
    return nodes > 1 or not (tag in _ALONE or tag in LOSE_NODES)


class _Left:
    """What is left of a budget."""

    def __init__(self, budget: Budget, nodes: int) -> None:
        others = nodes - 1
        losses = budget.node_losses
        self._nodes = others if losses is None else min(losses, others)
        self._workers = budget.worker_losses

    def allows(self, kind: type[Fault]) -> bool:
        """And takes it."""
        tag = kind.tag()
        if tag in LOSE_NODES:
            self._nodes -= 1
            return self._nodes >= 0
        if tag in LOSE_WORKERS and self._workers is not None:
            self._workers -= 1
            return self._workers >= 0
        return True
