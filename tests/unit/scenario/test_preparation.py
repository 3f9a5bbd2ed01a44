import pytest

from raysim.exceptions import RaySystemError
from raysim.journal import Journal, TaskEnded
from raysim.scenario.model import NodeGroup
from raysim.scenario.preparation import await_nodes, start_workers


class Backend:
    """Nodes join one a 10 ms; the workers of a round are as many as the test says."""

    def __init__(self, nodes=3, workers=()):
        self.joins = nodes
        self.clock_s = 0.0
        self.journal = Journal()
        self.workers = list(workers)
        self.rounds = []
        self.given_back_at_s = 0.0

    def now(self):
        return self.clock_s

    def sleep(self, seconds):
        self.clock_s += seconds

    def nodes(self):
        here = min(self.joins, round(self.clock_s / 0.01))
        joined = [{"NodeName": f"node-{n}", "NodeID": f"0{n}", "Alive": True} for n in range(here)]
        return [*reversed(joined), {"NodeName": "node-9", "NodeID": "09", "Alive": False}]

    def submit_task(self, target, options, args, kwargs):
        if not self.rounds or self.rounds[-1][0] != options.work.duration_ns:
            self.rounds.append((options.work.duration_ns, []))
        self.rounds[-1][1].append(options.strategy.node_id)
        return [object()]

    def wait(self, refs, num_returns, timeout, fetch_local):
        assert num_returns == len(refs)
        for number in range(self.workers.pop(0)):
            note = TaskEnded(b"t", "warm_up", 0, "finished", 0, 0, 0, 0, b"n", b"%d" % number)
            self.journal.write(0, "driver", "note", note)
        return refs, []

    def available_resources(self):
        return {"CPU": 4.0} if self.clock_s >= self.given_back_at_s else {"CPU": 1.0}


def test_all_nodes_are_awaited_and_numbered_by_their_names():
    backend = Backend()
    assert await_nodes(backend, 3) == ["00", "01", "02"]
    assert backend.clock_s == pytest.approx(0.03)


def test_nodes_that_do_not_join_are_an_error_that_names_those_that_did():
    with pytest.raises(
        RaySystemError, match=r"Only 2 of 3 nodes joined within 60 s: node-0, node-1\."
    ):
        await_nodes(Backend(nodes=2), 3)


TWO_NODES = [NodeGroup(cpus=3), NodeGroup(cpus=1)]


def test_all_cores_of_all_nodes_are_occupied_until_each_has_a_worker():
    backend = Backend(workers=[2, 3, 4, 4])
    start_workers(backend, backend.journal, ["00", "01"], TWO_NODES)
    on_all = [b"\0", b"\0", b"\0", b"\1"]
    assert backend.rounds == [(50_000_000, on_all), (100_000_000, on_all), (200_000_000, on_all)]


def test_the_clock_starts_when_all_cores_are_free_and_every_node_knows():
    backend = Backend(workers=[4])
    backend.given_back_at_s = 1.0
    start_workers(backend, backend.journal, ["00", "01"], TWO_NODES)
    assert backend.clock_s == pytest.approx(1.2)


def test_cores_that_stay_taken_are_an_error():
    backend = Backend(workers=[4])
    backend.given_back_at_s = 1e9
    with pytest.raises(RaySystemError, match="Of 4 cores some are still taken"):
        start_workers(backend, backend.journal, ["00", "01"], TWO_NODES)
