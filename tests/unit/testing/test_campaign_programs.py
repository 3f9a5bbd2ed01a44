"""The programs of the shipped campaign, and what is expected of them: any part of a program is a program."""

from hypothesis import given
from hypothesis import strategies as st

from raysim.exceptions import ObjectFreedError, OwnerDiedError, TaskCancelledError
from raysim.faults.swarm import Profile
from raysim.tape import SeededTape
from raysim.task_error import RayTaskError
from raysim.testing.campaign import CAMPAIGN
from raysim.testing.campaign import operations as ops
from raysim.testing.campaign.operations import Op
from raysim.testing.campaign.reference import expect, kind_of, out_of_order, wrong
from raysim.testing.campaign.remote import Boom
from raysim.testing.campaign.sampling import sample_program
from raysim.testing.case import Case
from raysim.testing.running import run_case


def test_the_values_of_operations_follow_from_what_they_take():
    program = (
        Op(1, ops.PUT),
        Op(2, ops.TASK, (1, 1)),
        Op(3, ops.TREE, count=2),
        Op(4, ops.TREE, count=2, flag=True),
        Op(5, ops.NESTED, (2, 3)),
    )
    values = {number: one.value for number, one in expect(program, False).items()}
    assert values == {1: 1, 2: 4, 3: 9, 4: 28, 5: 18}


def test_what_was_dropped_or_never_made_is_not_taken():
    program = (
        Op(1, ops.PUT),
        Op(2, ops.DROP, (1,)),
        Op(3, ops.TASK, (1, 7)),
        Op(4, ops.CALL, actor=9),
        Op(5, ops.RELAY, (8,)),
    )
    expected = expect(program, False)
    assert expected[3].value == 3
    assert set(expected) == {1, 3}


def test_errors_run_down_to_those_that_take_the_result():
    program = (
        Op(1, ops.BOOM),
        Op(2, ops.TASK),
        Op(3, ops.TASK, (1, 2)),
        Op(4, ops.CANCEL, (2,)),
    )
    expected = expect(program, False)
    assert expected[3].must
    assert expected[3].may == {"boom", "cancelled", "lost"}
    assert wrong(expected[3], "boom") == ""
    assert "had to end in an error" in wrong(expected[3], 6)
    assert "allowed are: cancelled, lost" in wrong(expected[2], "boom")


def test_calls_of_an_actor_run_in_their_order_in_each_of_its_processes():
    assert list(out_of_order([[1, 2, 5], [2, 5, 6]], ())) == []
    assert list(out_of_order([[1, 5, 2, 7], []], ())) == [(2, 5)]


def test_a_call_that_was_tried_or_made_again_may_come_later():
    assert list(out_of_order([[1, 2, 5, 2]], ())) == []
    assert list(out_of_order([[5, 2, 6], [6, 3, 4]], {2, 6})) == []
    assert list(out_of_order([[6, 4, 3]], {6})) == [(3, 4)]


def test_only_where_workers_may_end_is_a_fragile_task_expected_to_fail():
    fragile = (Op(1, ops.TASK, flag=True),)
    assert expect(fragile, False)[1].may == set()
    assert expect(fragile, True)[1].may == {"crashed", "lost"}
    assert expect((*fragile, Op(2, ops.GROUP)), False)[1].may == {"crashed", "lost"}


def test_what_needs_a_value_that_was_put_and_dropped_may_be_lost_with_its_process():
    program = (Op(1, ops.PUT), Op(2, ops.TASK, picks=(1,)), Op(3, ops.DROP, picks=(1,)))
    assert expect(program, True)[2].may == {"lost"}
    assert expect(program, False)[2].may == set()
    assert expect(program[:2], True)[2].may == set()


def test_a_reference_may_be_freed_on_its_way_only_where_processes_end_and_do_not_hear_of_each_other():
    program = (Op(1, ops.INNER),)
    assert "freed" in expect(program, True, cuts=True)[1].may
    assert "freed" not in expect(program, True)[1].may
    assert "freed" not in expect(program, False, cuts=True)[1].may


def test_errors_are_known_by_what_is_in_them():
    assert kind_of(RayTaskError.of(Boom(1), "f").as_instanceof_cause()) == "boom"
    assert kind_of(RayTaskError.of(OwnerDiedError(), "f")) == "owner died"
    assert kind_of(TaskCancelledError()) == "cancelled"
    assert kind_of(ObjectFreedError()) == "freed"
    assert kind_of(RayTaskError.of(KeyError("x"), "f")) == "KeyError"


@given(seed=st.integers(0, 10_000), kept=st.sets(st.integers(0, 29)))
def test_any_part_of_a_program_runs_and_gives_what_is_expected(seed, kept):
    whole = sample_program(SeededTape(seed), 30)
    part = tuple(op for op in whole if op.number in kept)
    case = Case(seed=seed, profile=Profile(nodes=2, cpus=2), program=part)
    assert run_case(CAMPAIGN, case).findings == []
