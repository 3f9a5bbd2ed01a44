"""Which backend performs which fault: each is performed, or refused by its name with what to do."""

import pytest

from raysim.faults import (
    FAULTS,
    Heal,
    PauseNode,
    PlannedFault,
    fault_from_json,
    parse_fault,
    scaled,
)
from raysim.faults.support import BACKENDS, CLUSTER, RAY, SIM, check, problem, refusal


def a_fault(kind):
    return fault_from_json({"kind": kind.tag(), "at": "1s"})


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.tag())
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fault_is_performed_or_refused_with_a_reason(backend, kind):
    said = problem(backend, a_fault(kind))
    assert (said is None) == (refusal(backend, kind) is None)
    if said is not None:
        assert said.startswith(f"{a_fault(kind)} cannot be performed on {backend}: ")
        assert said.endswith("use --backend sim")


def test_the_simulator_performs_all():
    assert [kind for kind in FAULTS if refusal(SIM, kind)] == []


def test_ray_ends_a_node_at_a_time_and_does_nothing_else():
    assert [kind.tag() for kind in FAULTS if refusal(RAY, kind) is None] == ["kill_node"]
    assert "give a time" in problem(RAY, parse_fault("kill_node(at=node_lost)"))


def test_all_that_cannot_be_performed_is_told_at_once():
    faults = [
        parse_fault(text) for text in ("loss(at=1s)", "kill_node(at=1s)", "clock_jump(at=2s)")
    ]
    with pytest.raises(ValueError, match=r"^loss\(at=1s\) .*\nclock_jump\(at=2s\) .*$"):
        check(CLUSTER, tuple(faults))
    check(SIM, tuple(faults))


def test_durations_of_a_fault_are_scaled_and_nothing_else():
    pause = PlannedFault(4_000, 1, PauseNode(at=parse_fault("heal(at=1s)").at, lasting=2_000))
    short = scaled(pause, 0.5)
    assert (short.at_ns, short.node, short.fault.lasting) == (2_000, 1, 1_000)
    forever = PlannedFault(0, -1, parse_fault("partition(at=0, lasting=none)"), (0,), (1,))
    assert scaled(forever, 0.5) == forever
    heal = PlannedFault(10, -1, Heal(at=pause.fault.at))
    assert scaled(heal, 0.5).at_ns == 5
