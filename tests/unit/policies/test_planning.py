"""Planners: schedules of papers exactly, and none that could not be kept."""

import itertools
import json
from pathlib import Path
from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create
from raysim.policies.planning import Graph, Schedule
from raysim.policies.planning.planners import Planning

PLANNERS = ["heft", "cpop", "peft", "min_min", "max_min", "critical_path"]


def planned(policy: str, graph: Graph) -> Schedule:
    planner = create(policy, Config())
    assert isinstance(planner, Planning)
    return planner.plan(graph)


def drawn(seed: int) -> Graph:
    """Up to 30 tasks on up to 5 processors of up to 3 sites."""
    rng = Random(seed)
    count, sites = rng.randint(1, 30), [rng.randrange(3) for _ in range(rng.randint(1, 5))]
    parents = [
        sorted(rng.sample(range(task), min(task, rng.choice([0, 1, 1, 2, 3]))))
        for task in range(count)
    ]
    runtimes = [[rng.randint(0, 20) for _ in sites] for _ in range(count)]
    moves = {(one, task): rng.randint(0, 20) for task in range(count) for one in parents[task]}
    return Graph(parents, runtimes, moves, sites)


def flat(*runtimes: list[int], sites: int) -> Graph:
    """Tasks that do not depend on each other."""
    return Graph([[] for _ in runtimes], runtimes, {}, list(range(sites)))


def placed(schedule: Schedule) -> dict[int, tuple[int, int, int]]:
    return {one.task: (one.processor, one.start, one.end) for one in schedule.of.values()}


@pytest.fixture(scope="module")
def published(shared_data: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((shared_data / "heft/topcuoglu2002.json").read_text())
    return found


def example(published: dict[str, object]) -> Graph:
    costs = published["cost_per_processor"]
    edges = published["edges_from_to_commcost_if_on_different_processors"]
    assert isinstance(costs, dict)
    assert isinstance(edges, list)
    parents = [[a - 1 for a, b, _ in edges if b == task] for task in range(1, 11)]
    runtimes = [costs[str(task)] for task in range(1, 11)]
    return Graph(parents, runtimes, {(a - 1, b - 1): cost for a, b, cost in edges}, [0, 1, 2])


@pytest.mark.parametrize("name", ["HEFT", "CPOP"])
def test_the_paper_s_schedule_comes_out(published, name):
    expected = published["expected"][name]
    schedule = planned(name.lower(), example(published))
    assert schedule.makespan == expected["makespan"]
    assert placed(schedule) == {
        int(task) - 1: (int(processor[1:]) - 1, start, end)
        for task, (processor, start, end) in expected["schedule"].items()
    }


def test_the_paper_s_ranks_come_out(published):
    graph = example(published)
    for task, rank in published["upward_rank"].items():
        assert graph.upward[int(task) - 1] / 3 == pytest.approx(rank, abs=0.01)


@pytest.mark.parametrize("policy", PLANNERS)
def test_every_schedule_can_be_kept(policy):
    for seed in range(60):
        graph = drawn(seed)
        schedule = planned(policy, graph)
        assert set(schedule.of) == set(graph.tasks)
        for row in schedule.processors:
            assert all(before.end <= after.start for before, after in itertools.pairwise(row))
        for one in schedule.of.values():
            assert one.end - one.start == graph.runtimes[one.task][one.processor]
            assert one.start >= schedule.ready(one.task, one.processor)


@pytest.mark.parametrize("policy", PLANNERS)
def test_nothing_is_planned_for_no_task(policy):
    assert planned(policy, Graph([], [], {}, [0, 1])).makespan == 0


def test_heft_fills_gaps():
    """Task 2 waits for what moves; task 3 fits before it on the same processor."""
    graph = Graph(
        [[], [], [0, 1], []], [[2, 9], [9, 2], [9, 20], [3, 30]], {(1, 2): 5, (0, 2): 5}, [0, 1]
    )
    schedule = planned("heft", graph)
    assert [one.task for one in schedule.processors[0]] == [0, 3, 2]


def test_cpop_keeps_the_critical_path_together():
    graph = Graph(
        [[], [0], [0], [1]], [[4, 5], [4, 5], [1, 1], [4, 5]], {(0, 1): 9, (1, 3): 9}, [0, 1]
    )
    schedule = planned("cpop", graph)
    assert {schedule.of[task].processor for task in (0, 1, 3)} == {0}


def test_peft_sees_what_comes_after():
    """Task 0 ends first where its child is slow: HEFT goes there, and PEFT does not."""
    graph = Graph([[], [0]], [[3, 4], [20, 2]], {(0, 1): 50}, [0, 1])
    assert planned("heft", graph).of[0].processor == 0
    assert planned("peft", graph).of[0].processor == 1
    assert planned("peft", graph).makespan == 6


def test_min_min_takes_short_tasks_first_and_max_min_long_ones():
    graph = flat([2, 2], [2, 2], [2, 2], [6, 6], sites=2)
    assert planned("min_min", graph).makespan == 8
    assert planned("max_min", graph).makespan == 6


def test_critical_path_starts_the_longest_chain_first():
    graph = Graph([[], [], [1], [2]], [[3], [1], [1], [5]], {}, [0])
    assert [one.task for one in planned("critical_path", graph).processors[0]] == [1, 2, 3, 0]


def test_processors_of_one_site_move_nothing_between_them():
    graph = Graph([[], [], [0, 1]], [[5, 5]] * 3, {(0, 2): 100, (1, 2): 100}, [1, 1])
    assert planned("heft", graph).makespan == 10
