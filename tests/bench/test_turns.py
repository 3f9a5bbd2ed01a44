import signal
import sys

import pytest

from bench import turns
from bench.contenders import BY_NAME, Ready, find, look
from bench.lines import Line
from bench.turns import Found, Settings, Told, Turn, TurnFailedError, held_back

LINES = (Line("a", "one"), Line("b", "one"), Line("c", "two"), Line("c: 10", "sizes", size=10))
READY = [Ready(BY_NAME[name], sys.executable, "1") for name in ("cluster", "ray")]
SETTINGS = Settings(rounds=2, seconds=0.1, scale=1.0, grouped=True)


def planned(**changes):
    found = turns.turns(LINES, READY, SETTINGS._replace(**changes))
    return [(turn.number, turn.group, turn.ready.participant.name, turn.lines) for turn in found]


def test_contenders_take_turns_by_group_of_lines():
    assert planned()[:5] == [
        (1, "one", "cluster", ("a", "b")),
        (1, "one", "ray", ("a", "b")),
        (1, "two", "cluster", ("c",)),
        (1, "two", "ray", ("c",)),
        (1, "sizes", "cluster", ("c: 10",)),
    ]
    assert [number for number, *_ in planned()] == [1] * 5 + [2] * 5


def test_in_a_quick_run_they_take_one_turn_each():
    assert planned(grouped=False, rounds=1) == [
        (1, "all lines", "cluster", ("a", "b", "c", "c: 10")),
        (1, "all lines", "ray", ("a", "b", "c")),
    ]


def test_nobody_takes_a_turn_at_lines_that_it_does_not_do():
    pool = Ready(BY_NAME["multiprocessing.Pool"], sys.executable, "1")
    lines = (Line("a", "tasks"), Line("b", "actors"), Line("c", "session"))
    found = turns.turns(lines, [pool], SETTINGS._replace(rounds=1))
    assert [turn.lines for turn in found] == [("a",), ("c",)]


@pytest.fixture
def answers(monkeypatch):
    """What each turn gives, in order: values, or an error."""
    given = []

    def take(turn, settings):
        answer = given.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(turns, "take", take)
    return given


def taken(count):
    told = Told({}, {}, [])
    all_turns = [Turn(number, READY[0], ("a",), "one") for number in range(1, count + 1)]
    return told, lambda: turns.take_all(all_turns, SETTINGS, told, lambda text: None)


def test_a_turn_that_fails_leaves_what_it_measured_and_the_turns_after_it(answers):
    failed = TurnFailedError(Found({"b": 9.0}, {}), "exit code 1", "said")
    answers += [Found({"a": 1.0}, {"a": 5.0}), failed, Found({"a": 2.0}, {})]
    told, go = taken(3)
    go()
    assert told == Told(
        {"cluster": {"a": {1: 1.0, 3: 2.0}, "b": {2: 9.0}}},
        {"cluster": {"a": {1: 5.0}}},
        ["cluster, one, round 2: exit code 1"],
    )


def test_who_stops_early_keeps_what_was_measured(answers):
    answers += [Found({"a": 1.0}, {}), KeyboardInterrupt()]
    told, go = taken(2)
    with pytest.raises(KeyboardInterrupt):
        go()
    assert told.values == {"cluster": {"a": {1: 1.0}}}


def test_ctrl_c_while_a_turn_is_being_started_comes_when_it_can_be_ended():
    """The process would be nobody's: started, and not yet known to whoever has to end it."""
    started = []

    def start():
        with held_back():
            signal.raise_signal(signal.SIGINT)
            started.append("process")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert started == ["process"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_contender_that_has_no_such_package_is_left_out_with_the_reason():
    unknown = BY_NAME["loky"]._replace(package="no-such-package")
    assert look(unknown, sys.executable) == f"{sys.executable} lacks no-such-package"


def test_an_interpreter_that_does_not_run_is_told():
    assert "does not run" in look(BY_NAME["cluster"], "/bin/false")


def test_rivals_are_looked_for_in_other_interpreters_first(tmp_path):
    other = tmp_path / "python"
    other.symlink_to("/bin/false")
    ready, left_out = find(["cluster", "loky"], sys.executable, [str(other), "/no/such/python"])
    assert ready[0] == look(BY_NAME["cluster"], sys.executable)
    assert [one.python for one in ready[1:]] == [sys.executable] * (2 - 1 - len(left_out))
    assert all(str(other) in why and "/no/such" not in why for why in left_out.values())


def test_contenders_run_what_is_compiled(monkeypatch):
    """Those that are installed were compiled then: one that runs from its source would compile at each start."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("RAY_ADDRESS", "somebody:6379")
    given = turns.surroundings()
    assert not {"PYTHONDONTWRITEBYTECODE", "RAY_ADDRESS"} & set(given)
