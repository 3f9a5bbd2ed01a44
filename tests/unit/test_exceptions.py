import pickle

import pytest

from raysim import exceptions
from raysim.exceptions import RayError, RayTaskError, from_failure
from raysim.spec.failure import Failure, FailureKind


class WithSlots(Exception):
    __slots__ = ("code",)

    def __init__(self, code=0):
        super().__init__(code)
        self.code = code


class WithOtherArguments(Exception):
    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")


class WithOwnArgs(Exception):
    @property
    def args(self):
        return ("own",)


class NotToBePickled(Exception):
    def __reduce__(self):
        raise RuntimeError("no")


class Final(Exception):
    def __init_subclass__(cls):
        raise TypeError("final")


def raised(error):
    """As a worker makes it of what user code raised."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001  (all of them are tested)
        return RayTaskError.of(caught, "task", pid=7, ip="10.0.0.1")


ORDINARY = [
    ValueError("v"),
    KeyError("k"),
    OSError(2, "gone", "file"),
    StopIteration(3),
    ImportError("i", name="module"),
    UnicodeDecodeError("utf8", b"a", 0, 1, "reason"),
    ExceptionGroup("group", [ValueError(1), KeyError(2)]),
    exceptions.GetTimeoutError("inner get"),
    WithSlots(5),
    WithOwnArgs(),
]


@pytest.mark.parametrize("cause", ORDINARY, ids=lambda e: type(e).__name__)
def test_error_is_both_and_survives_pickling(cause):
    error = raised(cause).as_instanceof_cause()
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(one, RayTaskError)
        assert isinstance(one, type(cause))
        assert type(one).__name__ == f"RayTaskError({type(cause).__name__})"
        assert type(one.cause) is type(cause)
        assert one.args == (one.cause,)
        assert str(one) == str(error)


def test_fields_go_to_the_cause():
    error = raised(OSError(2, "gone", "file")).as_instanceof_cause()
    assert (error.errno, error.strerror, error.filename) == (2, "gone", "file")
    assert raised(WithSlots(5)).as_instanceof_cause().code == 5
    assert raised(StopIteration(3)).as_instanceof_cause().value == 3
    group = raised(ExceptionGroup("group", [KeyError(2)])).as_instanceof_cause()
    assert [type(e) for e in group.exceptions] == [KeyError]


def test_text_names_the_process_and_hides_our_frames():
    text = str(raised(ValueError("v")))
    assert text.startswith("ray::task() (pid=7, ip=10.0.0.1)")
    assert "in raised" in text
    assert text.endswith("ValueError: v")


def test_frames_of_raysim_are_hidden_and_those_beside_it_are_not():
    own = exceptions.__file__
    lines = [
        "Traceback (most recent call last):",
        f'  File "{own}", line 1, in hidden',
        "    hidden()",
        '  File "examples/mine.py", line 2, in mine',
        "    mine()",
        "ValueError: v",
    ]
    text = str(RayTaskError("task", "\n".join(lines), ValueError("v")))
    assert "hidden" not in text
    assert "mine()" in text


def test_inner_error_is_not_wrapped_again():
    inner = raised(KeyError("k")).as_instanceof_cause()
    outer = raised(inner)
    assert type(outer.cause) is KeyError
    assert type(outer.as_instanceof_cause()).__name__ == "RayTaskError(KeyError)"


@pytest.mark.parametrize(
    ("cause", "stand_in"),
    [
        (WithOtherArguments("left", "right"), exceptions.UnserializableException),
        (NotToBePickled("text"), RayError),
    ],
)
def test_cause_that_does_not_survive_pickling_is_told_by_its_text(cause, stand_in):
    error = raised(cause)
    assert type(error.cause) is stand_in
    assert str(cause) in str(error)
    assert type(cause).__name__ in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)


def test_class_that_forbids_subclasses_gives_the_plain_error():
    error = raised(Final("f"))
    assert error.as_instanceof_cause() is error


def test_plain_error_is_its_own_instance():
    error = RayTaskError("task", "text", RayError("cause"))
    assert error.as_instanceof_cause() is error


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_has_its_exception(kind):
    failure = Failure(kind, "what and why", actor_id=b"a" * 16)
    error = from_failure(failure, object_hex="ab" * 28)
    assert type(error).__name__ == kind.value
    assert isinstance(error, RayError)
    assert "what and why" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_failed_constructor_shows_its_traceback():
    failure = Failure(FailureKind.ACTOR_DIED, "died", actor_id=b"a" * 16, init_failed=True)
    error = from_failure(failure, init_error=raised(ValueError("cannot begin")))
    assert error.actor_init_failed
    assert error.actor_id == "61" * 16
    assert "cannot begin" in str(error)


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (exceptions.GetTimeoutError, TimeoutError),
        (exceptions.ActorAlreadyExistsError, ValueError),
        (exceptions.ActorHandleNotFoundError, ValueError),
        (exceptions.ActorDiedError, exceptions.RayActorError),
        (exceptions.ActorUnavailableError, exceptions.RayActorError),
        (exceptions.OwnerDiedError, exceptions.ObjectLostError),
        (exceptions.ObjectReconstructionFailedError, exceptions.ObjectLostError),
    ],
)
def test_bases_are_rays(error, base):
    assert issubclass(error, base)
