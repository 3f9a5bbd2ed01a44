"""What becomes of exceptions that are not like others, on their way to whoever asks."""

import os
import sys
import threading

import pytest

from tests.api.signals import signal_class

PATIENCE = 60


def error_of(ray, raising):
    """What `get` raises when a task has raised that."""

    @ray.remote(max_retries=0)
    def task():
        raise raising()

    with pytest.raises(ray.exceptions.RayError) as caught:
        ray.get(task.remote(), timeout=PATIENCE)
    return caught.value


def test_class_that_cannot_be_derived_from(ray):
    """The error is no instance of it; it carries it."""

    class Final(Exception):
        def __init_subclass__(cls):
            raise TypeError("final")

    error = error_of(ray, lambda: Final("alone"))
    assert type(error).__name__ == "RayTaskError"
    assert type(error.cause).__name__ == "Final"
    assert "alone" in str(error)


def test_exception_group(ray):
    error = error_of(ray, lambda: ExceptionGroup("both", [KeyError("k"), ValueError("v")]))
    assert isinstance(error, ExceptionGroup)
    assert [type(one) for one in error.exceptions] == [KeyError, ValueError]


def test_exceptions_outside_of_exception(ray):
    class Outside(BaseException):
        pass

    error = error_of(ray, lambda: Outside("caught all the same"))
    assert isinstance(error, ray.exceptions.RayTaskError)
    assert "caught all the same" in str(error)


def test_exception_that_cannot_be_pickled(ray):
    class Holds(Exception):
        def __init__(self, text):
            super().__init__(text)
            self.lock = threading.Lock()

    error = error_of(ray, lambda: Holds("said in words"))
    assert "said in words" in str(error)
    assert not isinstance(error, Holds)


def test_attributes_are_those_of_the_cause(ray):
    class WithFunctionName(ValueError):
        function_name = "mine"

    assert error_of(ray, WithFunctionName).function_name == "mine"
    assert not hasattr(error_of(ray, ValueError), "function_name")


def test_error_through_three_tasks_has_one_cause(ray):
    @ray.remote
    def inner():
        raise LookupError("deepest")

    @ray.remote
    def pass_on(refs):
        return ray.get(refs[0])

    with pytest.raises(LookupError, match="deepest") as caught:
        ray.get(pass_on.remote([pass_on.remote([inner.remote()])]), timeout=PATIENCE)
    assert type(caught.value.cause) is LookupError


@pytest.mark.parametrize("end", ["sys.exit", "os._exit"])
def test_task_that_ends_its_process(ray, end):
    @ray.remote(max_retries=0)
    def task():
        if end == "sys.exit":
            sys.exit(1)
        os._exit(1)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(task.remote(), timeout=PATIENCE)


def test_get_of_a_list_does_not_wait_for_the_rest_of_it(ray):
    """One has failed: what the others become changes nothing."""
    signal = signal_class(ray).remote()

    @ray.remote(num_cpus=0)
    def wait(signal):
        ray.get(signal.wait.remote())

    @ray.remote(num_cpus=0)
    def fail():
        raise ValueError("at once")

    pending, failed = wait.remote(signal), fail.remote()
    ray.wait([failed], timeout=PATIENCE)
    with pytest.raises(ValueError, match="at once"):
        ray.get([pending, failed], timeout=PATIENCE)
    ray.get(signal.open.remote())


def test_stop_iteration_of_a_task(ray):
    assert isinstance(error_of(ray, lambda: StopIteration(3)), StopIteration)


def test_timeout_error_is_pythons_too(ray):
    errors = ray.exceptions
    assert issubclass(errors.GetTimeoutError, TimeoutError)
    assert issubclass(errors.ActorAlreadyExistsError, ValueError)
    assert issubclass(errors.ActorHandleNotFoundError, ValueError)
    assert issubclass(errors.OwnerDiedError, errors.ObjectLostError)
    assert issubclass(errors.ObjectFreedError, errors.ObjectLostError)
    assert issubclass(errors.ObjectReconstructionFailedError, errors.ObjectLostError)
