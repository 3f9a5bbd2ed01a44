"""Objects on a timeline: how they come to another node, to disk, and back. Ray's timeline does not show it."""

import pytest

import raysim
from raysim.cluster_utils import Cluster
from raysim.util import state
from tests.api.patience import until

OWN = ("sim", "cluster")
MIB = 1 << 20


@pytest.fixture
def cluster(backend):
    if backend not in OWN:
        pytest.skip("raysim's own words")
    memory = 80 * MIB
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": memory},
        backend=backend,
    )
    made.connect()
    made.add_node(num_cpus=1, resources={"far": 1}, object_store_memory=memory)
    made.wait_for_nodes()
    yield made
    raysim.shutdown()
    made.shutdown()


def ends_of_arrows(events, kind):
    """Of each arrow: where and when it begins, where and when it ends."""
    starts = {e["id"]: e for e in events if e["cat"] == kind and e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["cat"] == kind and e["ph"] == "f"}
    assert starts.keys() == ends.keys()
    return [(starts[key], ends[key]) for key in starts]


def slice_at(events, moment):
    """The innermost one around it."""
    around = [
        e
        for e in events
        if e["ph"] == "X"
        and (e["pid"], e["tid"]) == (moment["pid"], moment["tid"])
        and e["ts"] <= moment["ts"] <= e["ts"] + e["dur"]
    ]
    # A task that does nothing but get takes no longer than the get where time is virtual.
    return min(around, key=lambda e: (e["dur"], e["cat"].startswith("task::")))


def test_arrows_lead_from_put_to_transfer_to_get(cluster):
    @raysim.remote(resources={"far": 1})
    def read(boxed):
        return len(raysim.get(boxed[0]))

    ref = raysim.put(bytes(8 * MIB))
    assert raysim.get(read.remote([ref])) == 8 * MIB
    events = raysim.timeline()
    [transfer] = [e for e in events if e["cat"] == "transfer" and e["ph"] == "X"]
    here, far = raysim.nodes()[0]["NodeID"], raysim.nodes()[1]["NodeID"]
    assert (transfer["pid"], transfer["tid"]) == (f"node:{far}", "transfers")
    assert (transfer["args"]["object"], transfer["args"]["from"]) == (ref.hex(), f"node:{here}")
    assert transfer["args"]["bytes"] >= 8 * MIB
    ways = [
        (slice_at(events, begin)["name"], slice_at(events, end)["name"])
        for begin, end in ends_of_arrows(events, "object")
    ]
    assert ways == [("put", "transfer"), ("transfer", "get")]


def test_an_arrow_leads_from_the_call_that_made_it(cluster):
    @raysim.remote(resources={"far": 1})
    def make():
        return bytes(8 * MIB)

    ref = make.remote()
    raysim.get(ref)
    events = raysim.timeline()
    ways = [
        (slice_at(events, begin)["name"], slice_at(events, end)["name"])
        for begin, end in ends_of_arrows(events, "object")
    ]
    assert ways == [("make", "transfer"), ("transfer", "get")]


def test_what_goes_to_disk_and_comes_back_is_there(cluster):
    refs = [raysim.put(bytes(10 * MIB)) for _ in range(12)]
    for ref in refs:
        assert len(raysim.get(ref)) == 10 * MIB
    events = [e for e in raysim.timeline() if e["ph"] == "X"]
    head = f"node:{raysim.nodes()[0]['NodeID']}"
    for kind in ("spill", "restore"):
        found = [e for e in events if e["cat"] == kind]
        assert found
        assert {e["pid"] for e in found} == {head}
        assert all(e["tid"].startswith("disk") for e in found)
    by_row = {}
    for event in sorted(events, key=lambda event: event["ts"]):
        if event["tid"].startswith(("disk", "transfers")):
            row = by_row.setdefault((event["pid"], event["tid"]), [])
            assert not row or row[-1]["ts"] + row[-1]["dur"] <= event["ts"] + 1e-3
            row.append(event)


def test_those_of_a_process_that_ended_in_good_order_are_known_on(cluster):
    @raysim.remote(num_cpus=0)
    class Putting:
        def put(self):
            return raysim.put(bytes(MIB)).hex()

    actor = Putting.remote()
    made = raysim.get(actor.put.remote())
    del actor

    def there():
        events = raysim.timeline()
        gone = all(row.state == "DEAD" for row in state.list_actors())
        return gone and [e for e in events if e["cat"] == "put" and e["args"]["object"] == made]

    until(there)
