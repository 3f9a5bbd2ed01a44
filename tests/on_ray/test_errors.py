"""Ray's exceptions become raysim's. No cluster."""

import pytest
import ray.exceptions as theirs

from raysim import exceptions as ours
from raysim_ray.errors import translated, translating


def task_error(cause: BaseException) -> theirs.RayTaskError:
    return theirs.RayTaskError("f", "Traceback ...\nValueError: no", cause, "ray::f", 1, "here")


def test_application_error_is_of_both_libraries_and_of_its_own_class():
    error = translated(task_error(ValueError("no")).as_instanceof_cause())
    assert isinstance(error, ours.RayTaskError)
    assert isinstance(error, theirs.RayTaskError)  # So that Ray passes its cause on, in a worker.
    assert isinstance(error, ValueError)
    assert error.cause.args == ("no",)
    assert "\x1b" not in str(error)


def test_error_that_cannot_be_a_base_class_is_a_task_error():
    class Final(Exception):
        def __init_subclass__(cls) -> None:
            raise TypeError("final")

    error = translated(task_error(Final("no")))
    assert isinstance(error, ours.RayTaskError)
    assert not isinstance(error, Final)
    assert type(error.cause) is Final


def test_error_of_a_task_in_a_task_has_the_innermost_cause():
    inner = ours.RayTaskError.of(ValueError("no"), "inner").as_instanceof_cause()
    error = translated(task_error(inner))
    assert type(error.cause) is ValueError


def test_actor_error_keeps_what_it_knows():
    error = translated(theirs.ActorDiedError(task_error(ValueError("no"))))
    assert type(error) is ours.ActorDiedError
    assert error.actor_init_failed
    assert "ValueError: no" in str(error)


def test_lost_object_is_named_once():
    error = translated(theirs.ObjectLostError("ab12", None, ""))
    assert type(error) is ours.ObjectLostError
    assert error.object_ref_hex == "ab12"
    assert str(error).count("Failed to retrieve object ab12.") == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (theirs.GetTimeoutError("late"), ours.GetTimeoutError),
        (theirs.TaskCancelledError(), ours.TaskCancelledError),
        (theirs.TaskUnschedulableError("no"), ours.TaskUnschedulableError),
        (theirs.ActorUnavailableError("no", None), ours.ActorUnavailableError),
        (theirs.OwnerDiedError("ab", None, ""), ours.OwnerDiedError),
        (theirs.ActorAlreadyExistsError("taken"), ours.ActorAlreadyExistsError),
        (theirs.RayError("anything"), ours.RayError),
    ],
)
def test_error_has_the_class_of_its_name(error, kind):
    assert type(translated(error)) is kind


def test_error_that_raysim_lacks_has_the_class_of_its_base():
    class Strange(theirs.WorkerCrashedError):
        pass

    assert type(translated(Strange())) is ours.WorkerCrashedError


def test_other_errors_pass():
    @translating
    def fail() -> None:
        raise KeyError("key")

    with pytest.raises(KeyError, match="key"):
        fail()
