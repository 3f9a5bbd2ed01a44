"""Histories judged: planted violations, unknown outcomes, and every small history against all its orders."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.testing.histories import INFO, OK, UNKNOWN, History, Operation
from raysim.testing.linearizability import (
    NotLinearizableError,
    SearchLimitError,
    check_linearizable,
    linearize,
)
from raysim.testing.models import Counter, Map, Queue, Register


def history(*lines):
    """Each line: start, end (None: unknown), name, arguments, result."""
    return [
        Operation(name, args, f"client-{number}", start * 10, start * 10)
        if end is None
        else Operation(
            name, args, f"client-{number}", start * 10, start * 10, OK, result, end * 10 + 5, end
        )
        for number, (start, end, name, args, result) in enumerate(lines)
    ]


def test_a_sequential_history_is_linearizable():
    ops = history((0, 1, "write", (1,), None), (2, 3, "read", (), 1))
    assert check_linearizable(ops, Register())[None].order == ops


def test_a_read_may_see_a_write_that_is_under_way():
    ops = history((0, 9, "write", (1,), None), (1, 2, "read", (), None), (3, 4, "read", (), 1))
    order = check_linearizable(ops, Register())[None].order
    assert [one.name for one in order] == ["read", "write", "read"]


def test_a_stale_read_is_found_and_told():
    ops = history((0, 1, "write", (1,), None), (2, 3, "write", (2,), None), (4, 5, "read", (), 1))
    with pytest.raises(NotLinearizableError) as raised:
        check_linearizable(ops, Register())
    text = str(raised.value)
    assert "the state is 2, and none of these fits:\n" in text
    assert text.endswith("client-2: read() -> 1")


def test_two_reads_may_not_disagree_about_the_order_of_two_writes():
    ops = history(
        (0, 9, "write", (1,), None),
        (0, 9, "write", (2,), None),
        (10, 11, "read", (), 1),
        (12, 13, "read", (), 2),
    )
    with pytest.raises(NotLinearizableError):
        check_linearizable(ops, Register())


def test_compare_and_set_succeeds_for_one_of_two():
    both = (0, 5, "cas", (0, 1), True), (0, 5, "cas", (0, 2), True)
    with pytest.raises(NotLinearizableError):
        check_linearizable(history(*both), Register(0))
    one = (0, 5, "cas", (0, 1), True), (0, 5, "cas", (0, 2), False)
    check_linearizable(history(*one), Register(0))


def test_what_timed_out_may_have_taken_place_late():
    ops = history((0, None, "write", (1,), None), (1, 2, "read", (), None), (3, 4, "read", (), 1))
    check_linearizable(ops, Register())
    ops += history((5, 6, "read", (), None))
    with pytest.raises(NotLinearizableError):
        check_linearizable(ops, Register())  # It took place, and cannot be undone.


def test_what_timed_out_may_never_have_taken_place():
    check_linearizable(
        history((0, None, "write", (1,), None), (1, 2, "read", (), None)), Register()
    )


def test_what_failed_did_not_take_place():
    record = History()
    record.invoke("write", 1).fail()
    record.invoke("read").ok(1)
    with pytest.raises(NotLinearizableError):
        check_linearizable(record, Register())


def test_a_queue_gives_each_value_once_and_in_order():
    puts = (0, 1, "put", ("a",), None), (2, 3, "put", ("b",), None)
    right = history(*puts, (4, 6, "get", (), "b"), (4, 6, "get", (), "a"), (7, 8, "get", (), None))
    check_linearizable(right, Queue())
    twice = history(*puts, (4, 5, "get", (), "a"), (6, 7, "get", (), "a"))
    with pytest.raises(NotLinearizableError):
        check_linearizable(twice, Queue())
    swapped = history(*puts, (4, 5, "get", (), "b"))
    with pytest.raises(NotLinearizableError):
        check_linearizable(swapped, Queue())


def test_a_lost_increment_is_found():
    adds = (0, 5, "add", (1,), UNKNOWN), (0, 5, "add", (1,), UNKNOWN)
    check_linearizable(history(*adds, (6, 7, "read", (), 2)), Counter())
    with pytest.raises(NotLinearizableError):
        check_linearizable(history(*adds, (6, 7, "read", (), 1)), Counter())


def test_keys_of_a_map_are_judged_one_by_one():
    ops = history(
        (0, 1, "put", ("x", 1), None),
        (0, 1, "put", ("y", 2), None),
        (2, 3, "get", ("x",), 1),
        (2, 3, "get", ("y",), 1),
    )
    with pytest.raises(NotLinearizableError, match="'y' is not linearizable"):
        check_linearizable(ops, Map())
    assert set(check_linearizable(ops[:3], Map())) == {"x", "y"}


def test_an_operation_that_the_model_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"Queue has no operation push\(1\); it has: `put"):
        check_linearizable(history((0, 1, "push", (1,), None)), Queue())


def test_a_search_that_takes_too_long_says_so():
    ops = history(*((i, None, "add", (1 << i,), None) for i in range(30)), (40, 41, "read", (), -1))
    with pytest.raises(SearchLimitError, match="31 operations was given up"):
        check_linearizable(ops, Counter(), limit=10_000)


def test_a_long_history_of_few_clients_is_judged_with_few_steps():
    ops = history(
        *((i, i + 3, "add", (1,), UNKNOWN) for i in range(300)), (400, 401, "read", (), 300)
    )
    check_linearizable(ops, Counter(), limit=5_000)


# --- against all orders ---


def explained(operations, model):
    """By trying every order of every choice of those that nobody knows of."""
    known = [one for one in operations if one.kind == OK]
    unknown = [one for one in operations if one.kind == INFO]
    for chosen in range(1 << len(unknown)):
        some = known + [one for i, one in enumerate(unknown) if chosen >> i & 1]
        if any(fits(order, model) for order in permutations(some)):
            return True
    return False


def fits(order, model):
    state = model.initial()
    for place, one in enumerate(order):
        if any(
            later.ended is not None and later.kind == OK and later.ended < one.invoked
            for later in order[place + 1 :]
        ):
            return False
        state, result = model.step(state, one)
        if one.kind == OK and one.result is not UNKNOWN and one.result != result:
            return False
    return True


def operations(calls):
    """Few operations with small values, so that about half of the histories can be explained."""

    @st.composite
    def draw_history(draw):
        size = draw(st.integers(1, 5))
        places = draw(st.permutations(range(2 * size)))
        ops = []
        for i in range(size):
            start, end = sorted(places[2 * i : 2 * i + 2])
            name, args, results = draw(st.sampled_from(calls))
            known = draw(st.integers(0, 3)) > 0
            result = draw(st.sampled_from(results)) if known else UNKNOWN
            ops.append(
                Operation(name, args, str(i), start, 0, OK if known else INFO, result, end, 0)
            )
        return ops

    return draw_history()


REGISTER = [
    ("write", (1,), [None]),
    ("write", (2,), [None]),
    ("read", (), [None, 1, 2]),
    ("cas", (1, 2), [True, False]),
]
QUEUE = [("put", (1,), [None]), ("put", (2,), [None]), ("get", (), [None, 1, 2, UNKNOWN])]
COUNTER = [("add", (1,), [1, 2, UNKNOWN]), ("read", (), [0, 1, 2])]


@pytest.mark.parametrize(
    ("model", "calls"), [(Register(), REGISTER), (Queue(), QUEUE), (Counter(), COUNTER)]
)
def test_small_histories_are_judged_as_all_their_orders_are(model, calls):
    judged = set()

    @given(operations(calls))
    def judge(ops):
        expected = explained(ops, model)
        judged.add(expected)
        assert linearize(ops, model).complete == expected

    judge()
    assert judged == {True, False}
