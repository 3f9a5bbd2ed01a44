import pickle

import pytest


def test_error_is_an_instance_of_its_cause_and_a_task_error(ray):
    @ray.remote
    def fail():
        raise ValueError("bad value")

    with pytest.raises(ValueError, match="bad value") as caught:
        ray.get(fail.remote())
    error = caught.value
    assert isinstance(error, ray.exceptions.RayTaskError)
    assert type(error).__name__ == "RayTaskError(ValueError)"
    assert type(error.cause) is ValueError
    assert error.args == (error.cause,)
    assert error.cause.args == ("bad value",)


def test_text_is_the_remote_traceback(ray):
    @ray.remote
    def deep_in_the_task():
        raise KeyError("lost")

    with pytest.raises(KeyError) as caught:
        ray.get(deep_in_the_task.remote())
    text = str(caught.value)
    assert "deep_in_the_task" in text
    assert "KeyError: 'lost'" in text
    assert "executor" not in text


def test_fields_of_the_cause_are_reachable(ray):
    class WithField(Exception):
        def __init__(self, field):
            super().__init__(field)
            self.field = field

    @ray.remote
    def fail():
        raise WithField(5)

    with pytest.raises(ray.exceptions.RayTaskError) as caught:
        ray.get(fail.remote())
    assert caught.value.field == 5


def test_error_survives_pickling(ray):
    @ray.remote
    def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError) as caught:
        ray.get(fail.remote())
    again = pickle.loads(pickle.dumps(caught.value.cause))
    assert type(again) is LookupError


def test_every_get_raises_again(ray):
    @ray.remote
    def fail():
        raise ValueError("again")

    ref = fail.remote()
    for _ in range(2):
        with pytest.raises(ValueError, match="again"):
            ray.get(ref)


def test_all_references_of_a_failed_task_raise(ray):
    @ray.remote(num_returns=2)
    def fail():
        raise ValueError("both")

    for ref in fail.remote():
        with pytest.raises(ValueError, match="both"):
            ray.get(ref)


def test_failed_argument_fails_the_task_without_running_it(ray, tmp_path):
    trace = tmp_path / "ran"

    @ray.remote
    def fail():
        raise ZeroDivisionError("first")

    @ray.remote
    def follow(x):
        trace.write_text("ran")
        return x

    with pytest.raises(ZeroDivisionError, match="first"):
        ray.get(follow.remote(follow.remote(fail.remote())))
    assert not trace.exists()


def test_error_of_an_inner_task_keeps_its_class(ray):
    @ray.remote
    def inner():
        raise IndexError("inner")

    @ray.remote
    def outer():
        return ray.get(inner.remote())

    with pytest.raises(IndexError) as caught:
        ray.get(outer.remote())
    assert type(caught.value.cause) is IndexError
    assert type(caught.value).__name__ == "RayTaskError(IndexError)"


def test_task_catches_the_error_of_its_task(ray):
    @ray.remote
    def inner():
        raise IndexError("inner")

    @ray.remote
    def outer():
        try:
            ray.get(inner.remote())
        except IndexError:
            return "caught"

    assert ray.get(outer.remote()) == "caught"


def test_get_of_a_list_raises_an_error_of_it(ray):
    @ray.remote
    def fail():
        raise ValueError("one of many")

    with pytest.raises(ValueError, match="one of many"):
        ray.get([ray.put(1), fail.remote(), ray.put(2)])


def test_exception_as_a_value_is_no_error(ray):
    @ray.remote
    def give():
        return ValueError("just a value")

    assert isinstance(ray.get(give.remote()), ValueError)
    assert isinstance(ray.get(ray.put(KeyError(1))), KeyError)


def test_exception_whose_arguments_do_not_fit_still_says_what_it_was(ray):
    class WithOtherArguments(Exception):
        def __init__(self, left, right):
            super().__init__(f"{left} and {right}")

    @ray.remote
    def fail():
        raise WithOtherArguments("left", "right")

    with pytest.raises(ray.exceptions.RayError, match="left and right"):
        ray.get(fail.remote())


def test_result_that_cannot_be_pickled_is_a_type_error(ray):
    @ray.remote
    def give():
        import threading

        return threading.Lock()

    with pytest.raises(TypeError, match="lock"):
        ray.get(give.remote())


# --- retries ---


@pytest.fixture
def runs(tmp_path):
    """Counts the runs of a task, in whatever process; `runs.path` has one letter for each."""
    path = tmp_path / "runs"

    def count():
        with path.open("a") as file:
            file.write("x")
        return len(path.read_text())

    count.path = path
    return count


def test_application_errors_are_not_retried_by_default(ray, runs):
    @ray.remote
    def fail():
        runs()
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        ray.get(fail.remote())
    assert runs.path.read_text() == "x"


def test_application_errors_are_retried_when_asked(ray, runs):
    @ray.remote(retry_exceptions=True, max_retries=1)
    def fail_once():
        if runs() == 1:
            raise ValueError("first")
        return "second"

    assert ray.get(fail_once.remote()) == "second"


def test_retries_end(ray, runs):
    @ray.remote(retry_exceptions=True, max_retries=1)
    def fail():
        runs()
        raise ValueError("always")

    with pytest.raises(ValueError, match="always"):
        ray.get(fail.remote())
    assert runs.path.read_text() == "xx"


@pytest.mark.parametrize(("raised", "expected"), [(KeyError, 2), (ValueError, 1)])
def test_only_listed_errors_are_retried(ray, runs, raised, expected):
    """LookupError is listed: its subclass counts, others do not."""

    @ray.remote(retry_exceptions=[LookupError], max_retries=1)
    def fail():
        runs()
        raise raised("listed or not")

    with pytest.raises(raised):
        ray.get(fail.remote())
    assert len(runs.path.read_text()) == expected
