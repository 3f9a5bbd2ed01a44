from raysim.faults import PlannedFault, parse_fault
from raysim.faults.course import Awaited, InForce


def planned(text):
    return PlannedFault(0, 0, parse_fault(text))


def test_a_fault_waits_until_its_event_has_happened_so_often():
    awaited = Awaited()
    first, third = planned("kill_worker(at=task_ended)"), planned("kill_worker(at=task_ended*3)")
    awaited.add(third)
    awaited.add(first)
    assert awaited.happened("task_ended") == [first]
    assert awaited.happened("node_joined") == awaited.happened("task_ended") == []
    assert awaited.happened("task_ended") == [third]
    assert not awaited


def test_what_lasts_ends_once_whoever_ends_it_first():
    ended, timers = [], []
    in_force = InForce(lambda delay_ns, action: timers.append((delay_ns, action)))
    in_force.add(parse_fault("pause_node(at=0s, lasting=2s)"), lambda: ended.append("paused"))
    in_force.add(parse_fault("partition(at=0s, lasting=5s)"), lambda: ended.append("parted"))
    [(paused_ns, unpause), (parted_ns, join)] = timers
    assert (paused_ns, parted_ns) == (2 * 10**9, 5 * 10**9)
    unpause()
    assert ended == ["paused"]
    in_force.end_all()
    join()
    assert ended == ["paused", "parted"]
