"""Remote functions that come with a task: looked at when they are first used, by whichever thread that is."""

import pickle

import cloudpickle
import pytest

import raysim as ray
from raysim.api import functions


@ray.remote(num_returns=2)
def pair() -> tuple[int, int]:
    return 1, 2


def test_function_that_another_thread_is_looking_at_may_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Played in one thread: the second use comes while the first one is half-way."""
    came = pickle.loads(cloudpickle.dumps(pair))
    look, seen = functions.task_options, []

    def task_options(*args: object) -> object:
        if not seen:
            seen.append(None)
            seen.append(came._num_returns)
        return look(*args)

    monkeypatch.setattr(functions, "task_options", task_options)
    assert came._num_returns == 2
    assert seen == [None, 2]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = came.nothing
