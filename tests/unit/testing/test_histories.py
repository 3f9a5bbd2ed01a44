"""What clients did is written down once, in order, from wherever they run."""

import pickle

import pytest

from raysim.exceptions import GetTimeoutError
from raysim.testing.histories import FAIL, INFO, OK, UNKNOWN, History


def test_operations_are_ordered_by_calls_and_ends():
    history = History()
    first, second = history.invoke("write", 1), history.invoke("read")
    assert second.ok(0) == 0
    first.ok()
    write, read = history
    assert (write.invoked, read.invoked, read.ended, write.ended) == (0, 1, 2, 3)
    assert (read.kind, read.result, write.result) == (OK, 0, UNKNOWN)


def test_an_operation_ends_once():
    begun = History().invoke("read")
    begun.fail()
    with pytest.raises(ValueError, match=r"has ended already: .*read\(\) \(fail\)"):
        begun.ok(1)


def test_a_copy_that_travels_is_the_same_history():
    history = History()
    pickle.loads(pickle.dumps(history)).invoke("read").ok(1)
    assert len(history) == 1


def test_a_history_of_another_process_is_refused():
    sent = pickle.dumps(History())
    with pytest.raises(ValueError, match="kept by the process that made it"):
        pickle.loads(sent)


def test_an_error_of_ray_leaves_an_unknown_outcome_and_the_client_goes_on():
    history = History()
    with history.operation("write", 1):
        raise GetTimeoutError("too late")
    with history.operation("write", 2) as op:
        op.fail()
        raise GetTimeoutError("after it was refused")
    assert [one.kind for one in history] == [INFO, FAIL]


def test_another_error_is_raised():
    history = History()
    with pytest.raises(ZeroDivisionError), history.operation("write", 1):
        raise ZeroDivisionError
    assert history.operations[0].kind == INFO


def test_a_block_that_ends_nothing_leaves_an_unknown_outcome():
    history = History()
    with history.operation("write", 1):
        pass
    assert history.operations[0].kind == INFO
    assert history.operations[0].ended is not None


def test_a_history_reads_as_a_table():
    history = History()
    history.invoke("cas", 1, 2, process="client-3").ok(True)
    assert str(history).endswith("client-3: cas(1, 2) -> True")
