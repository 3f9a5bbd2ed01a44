"""What every placement policy has to keep, tried on many small clusters, then on a simulated one.

Never says whether a policy is a good one: see `raysim run --policy`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Final

import raysim
from raysim.config import Config
from raysim.policies import Policy, create
from raysim.policies.devices import PicksDevices, pieces
from raysim.policies.locality import NearData
from raysim.policies.queueing import Queueing
from raysim.policies.registry import queues
from raysim.policies.stealing import Stealable, Stealing
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, named_node_id, named_worker_id
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import GPU, UNITS, Resources, describe, fits, fixed, to_units

_OTHERS: Final = ("memory", "custom")
"""Resources that some nodes have and few requests ask for."""

_GPUS: Final = (0.25, 0.5, 1, 1, 2)
"""What requests ask for, where they ask for any."""

_NODES: Final = 8
_STEPS: Final = 6
"""Decisions that one object takes, each for a cluster and a request."""


class PolicyError(AssertionError):
    """A policy breaks what the protocol relies on: which rule, and with which cluster and request."""


def policy_suite(policy: str, *, examples: int = 200) -> None:
    """Try a policy, as `--policy` names it: `power_of_d(d=3)`, `module:Class`, `/path/to/mine.py:Mine`.

    It has to find room where there is room (of GPUs: in one piece), else a node that could ever run the request, else
    None; to choose among GPUs, if it does, those that have room; to
    decide alike for the same cluster, request and random numbers; to draw from the `rng` that it is given
    only; and to leave alone what it is shown. Then 200 tasks have to end on a simulated cluster of four nodes.

    `examples`: sequences of clusters and requests that are tried, small ones first. Raises PolicyError with
    the case, ValueError where there is no such policy, RuntimeError while connected.
    """
    create(policy, Config())
    _try_decisions(policy, examples)
    if queues(Config(policy=policy)):
        _try_queues(policy, examples)
    if isinstance(create(policy, Config()), NearData):
        _try_near(policy, examples)
    if isinstance(create(policy, Config()), Stealing):
        _try_stealing(policy, examples)
    _try_a_run(policy)


def _try_decisions(policy: str, examples: int) -> None:
    for number in range(examples):
        # From small to large: the first case that fails is one that can be read.
        rng, nodes = random.Random(number), 1 + number * _NODES // examples
        steps = [(_cluster(rng, nodes), _request(rng)) for _ in range(_STEPS)]
        first, second = (_decisions(policy, steps, number) for _ in range(2))
        for (cluster, need), picked, again in zip(steps, first, second, strict=True):
            _check(policy, need, cluster, picked)
            if picked != again:
                both = f"{_node(picked, cluster)}, then {_node(again, cluster)}"
                raise PolicyError(
                    f"{policy} decides otherwise the second time, for the same clusters, requests and random "
                    f"numbers: {both}. Draw from the `rng` that it is given, read no clock, go over no set, and "
                    "keep what is remembered in the object, not in its class."
                )


def _cluster(rng: random.Random, most: int) -> dict[NodeId, NodeView]:
    """Some of the nodes that there are: from one to the next, nodes come and go."""
    names = [f"node-{number}" for number in range(most) if rng.random() < 0.8]
    return {named_node_id(name): _view(rng, name) for name in names}


def _view(rng: random.Random, name: str) -> NodeView:
    total = {"CPU": rng.randint(0, 4)}
    total |= {kind: rng.randint(1, 4) for kind in _OTHERS if rng.random() < 0.3}
    free = fixed({kind: rng.randint(0, has) for kind, has in total.items()})
    gpus: tuple[int, ...] = ()
    if rng.random() < 0.4:
        total[GPU] = rng.randint(1, 4)
        gpus = tuple(to_units(rng.choice((0, 0.25, 0.5, 0.5, 1))) for _ in range(total[GPU]))
        free[GPU] = sum(gpus)
    place = Address(named_node_id(name), named_worker_id(name))
    return NodeView(place, fixed(total), free, 0, rng.randint(0, 3), gpus=gpus)


def _request(rng: random.Random) -> Resources:
    return fixed(
        {
            "CPU": rng.randint(0, 3),
            **{kind: rng.randint(1, 2) for kind in _OTHERS if rng.random() < 0.15},
            **({GPU: rng.choice(_GPUS)} if rng.random() < 0.3 else {}),
        }
    )


def _decisions(
    policy: str, steps: list[tuple[dict[NodeId, NodeView], Resources]], seed: int
) -> list[NodeId | None]:
    made, rng, local = create(policy, Config()), random.Random(seed), named_node_id("node-0")
    return [_decision(policy, made, need, nodes, local, rng) for nodes, need in steps]


def _decision(
    policy: str,
    made: Policy,
    need: Resources,
    nodes: dict[NodeId, NodeView],
    local: NodeId,
    rng: random.Random,
) -> NodeId | None:
    before, others = deepcopy((need, nodes)), random.getstate()
    try:
        picked = made.pick(need, nodes, local, rng)
        view = None if picked is None else nodes.get(picked)
        if isinstance(made, PicksDevices) and view is not None and has_room(need, view):
            _check_gpus(policy, need, view, made, rng)
    except PolicyError:
        raise
    except Exception as error:
        raise PolicyError(f"{policy} raises for {_case(need, nodes)}") from error
    if (need, nodes) != before:
        raise PolicyError(f"{policy} changes what it is shown, for {_case(*before)}")
    if random.getstate() != others:
        raise PolicyError(f"{policy} draws from the module `random`; it has an `rng` of its own")
    return picked


def _check(
    policy: str, need: Resources, nodes: Mapping[NodeId, NodeView], picked: NodeId | None
) -> None:
    if picked is not None and picked not in nodes:
        raise PolicyError(f"{policy} picks a node that is not there, for {_case(need, nodes)}")
    room = [one for one, view in nodes.items() if has_room(need, view)]
    able = [one for one, view in nodes.items() if fits(need, view.total)]
    if (able and picked is None) or (picked is not None and picked not in (room or able)):
        should = (
            "one that has room now" if room else "one that could ever run it" if able else "None"
        )
        raise PolicyError(
            f"{policy} picks {_node(picked, nodes)}, not {should}, for {_case(need, nodes)}"
        )


def _check_gpus(
    policy: str, need: Resources, view: NodeView, made: PicksDevices, rng: random.Random
) -> None:
    units = need.get(GPU, 0)
    if not units or not view.gpus:
        return
    numbers = list(made.pick_gpus(need, view, rng))
    whole, share = divmod(units, UNITS)
    chosen = pieces(units, dict(enumerate(view.gpus)), numbers)
    if numbers and (chosen is None or list(chosen) != numbers):
        what = f"{whole} whole ones" + (f" and {share / UNITS:g} of another" if share else "")
        raise PolicyError(
            f"{policy} picks the GPUs {numbers}, which have no room for {what}: of them are free "
            f"{[one / UNITS for one in view.gpus]}"
        )


def _try_queues(policy: str, examples: int) -> None:
    for number in range(examples):
        rng, nodes = random.Random(number), 1 + number * _NODES // examples
        need, cluster, count = _request(rng), _cluster(rng, nodes), rng.randint(1, 12)
        places = [_places(policy, need, cluster, count, number) for _ in range(2)]
        if places[0] != places[1]:
            raise PolicyError(
                f"{policy} places calls otherwise the second time: {_case(need, cluster)}"
            )


def _places(
    policy: str, need: Resources, nodes: dict[NodeId, NodeView], count: int, seed: int
) -> list[NodeId]:
    """Where so many calls would wait, the nodes having the queues that their views tell."""
    made, rng = create(policy, Config()), random.Random(seed)
    assert isinstance(made, Queueing), f"{policy} does not queue"
    able = [one for one, view in nodes.items() if fits(need, view.total)]
    found = made.candidates(need, count, nodes, rng)
    wrong = [one for one in found if one not in able]
    if wrong or (able and len(found) < count):
        what = (
            f"{_node(wrong[0], nodes)}, which could never run it"
            if wrong
            else f"{len(found)} nodes"
        )
        raise PolicyError(f"{policy} draws {what}, for {count} times {_case(need, nodes)}")
    if not found:
        return []
    chosen = made.settle(count, [(one, nodes[one].queued) for one in found])
    if len(chosen) < count or not set(chosen) <= set(found):
        what = f"{len(chosen)} places of {len(found)} that were drawn"
        raise PolicyError(f"{policy} settles for {what}, for {count} times {_case(need, nodes)}")
    return chosen


def _try_near(policy: str, examples: int) -> None:
    """It may name a node without room only to wait at the arguments, or where nobody has room."""
    for number in range(examples):
        rng, nodes = random.Random(number), 1 + number * _NODES // examples
        cluster, need, local = _cluster(rng, nodes), _request(rng), named_node_id("node-0")
        if not cluster:
            continue
        near = rng.sample(list(cluster), rng.randint(1, min(3, len(cluster))))
        made = create(policy, Config())
        assert isinstance(made, NearData), f"{policy} does not ask where arguments are"
        waited_ns = rng.choice((0, made.wait_ns))
        before = deepcopy((need, cluster, near))
        picked = made.pick_near(need, cluster, local, rng, near, waited_ns)
        if (need, cluster, near) != before:
            raise PolicyError(f"{policy} changes what it is shown, for {_case(*before[:2])}")
        if picked not in near or not fits(need, cluster[picked].total):
            _check(policy, need, cluster, picked)


def _try_stealing(policy: str, examples: int) -> None:
    for number in range(examples):
        rng, nodes = random.Random(number), 1 + number * _NODES // examples
        cluster, free = _cluster(rng, nodes), _request(rng)
        some = [Stealable(at, _request(rng), rng.randint(-1, 10**11)) for at in range(1, 9)]
        waiting = [one for one in some if fits(one.need, free)]
        running = [rng.randint(-1, 10**11) for _ in range(rng.randint(0, 3))]
        first, second = (_theft(policy, cluster, waiting, running, free, number) for _ in range(2))
        if first != second:
            raise PolicyError(f"{policy} steals otherwise the second time: {_case(free, cluster)}")


def _theft(
    policy: str,
    nodes: dict[NodeId, NodeView],
    waiting: list[Stealable],
    running: list[int],
    free: Resources,
    seed: int,
) -> tuple[list[NodeId], list[int]]:
    """Whom a node with so much room asks, and what it would be given of what waits."""
    made, local = create(policy, Config()), named_node_id("node-0")
    assert isinstance(made, Stealing), f"{policy} does not steal"
    before = deepcopy((nodes, waiting, running, free))
    victims = made.victims(nodes, local, random.Random(seed))
    loot = made.loot(waiting, running, free)
    if (nodes, waiting, running, free) != before:
        raise PolicyError(f"{policy} changes what it is shown, for {_case(before[3], before[0])}")
    if len(set(victims)) < len(victims) or not set(victims) <= set(nodes) - {local}:
        raise PolicyError(f"{policy} has a node ask itself, or one that is not there, or twice")
    if len(set(loot)) < len(loot) or not set(loot) <= {one.number for one in waiting}:
        raise PolicyError(f"{policy} gives {loot}, of {[one.number for one in waiting]} that wait")
    return victims, loot


def _try_a_run(policy: str) -> None:
    raysim.init(backend="sim", nodes=4, num_cpus=2, _system_config={"policy": policy})
    try:
        task = raysim.remote(lambda number: number)
        refs = [task.remote(number) for number in range(200)]
        _, waiting = raysim.wait(refs, num_returns=len(refs), timeout=3_600)
    finally:
        raysim.shutdown()
    if waiting:
        raise PolicyError(f"{policy} lets {len(waiting)} of 200 tasks wait for an hour")


def _case(need: Resources, nodes: Mapping[NodeId, NodeView]) -> str:
    lines = [f"a request of {describe(need)}, nodes:"]
    lines += [
        f"  {number}: free {describe(view.available)} of {describe(view.total)}{_gpus(view)}, {view.queued} waiting"
        for number, view in enumerate(nodes.values())
    ]
    return "\n".join(lines)


def _gpus(view: NodeView) -> str:
    return f", of its GPUs {[one / UNITS for one in view.gpus]}" if view.gpus else ""


def _node(picked: NodeId | None, nodes: Mapping[NodeId, NodeView]) -> str:
    return "None" if picked is None else f"node {list(nodes).index(picked)}"
