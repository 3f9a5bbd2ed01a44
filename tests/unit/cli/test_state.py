"""What `raysim list`, `get` and `summary` refuse before they connect to anything, and how they go on and on."""

import pytest

from raysim.cli import state
from raysim.cli.connection import BadInputError
from raysim.util.state.options import StateResource


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("list", "taks"), "did you mean tasks?"),
        (("list", "runtime_env", "--columns", "x"), "runtime-envs have no column 'x'"),
        (("get", "runtime-envs", "00"), "'runtime-envs' is none of actors, jobs"),
        (("summary", "actor", "--format", "xml"), "'xml' is not one of 'table', 'json', 'yaml'"),
        (("list", "nodes", "--filter", "state"), "write it as KEY=VALUE or KEY!=VALUE"),
        (("list", "nodes", "--filter", "=x"), "write it as KEY=VALUE or KEY!=VALUE"),
        (("list", "nodes", "--filter", "stat=ALIVE"), "Did you mean state?"),
        (("list", "nodes", "--filter", "state!=ALIFE"), "Did you mean ALIVE?"),
        (("list", "workers", "--filter", "pid=x"), "Provide a whole number"),
        (("list", "nodes", "--columns", "node_id,node_nam"), "did you mean node_name?"),
        (("list", "nodes", "--limit", "0"), "0 is not in the range"),
        (("list", "nodes", "--watch", "0"), "0.0 is not in the range"),
        (("list", "nodes", "--detial"), "--detail"),
        (("get", "actors", "no-hex"), "'no-hex' is no id"),
        (("memory", "--group-by", "nod"), "'nod' is not one of"),
        (("logs", "x.out", "--actor", "ab"), "Give one of NAME, --actor"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_right_word(raysim, args, said) -> None:
    ended = raysim(*args)
    assert ended.code == 2
    assert said in ended.err


def test_no_cluster_is_an_error_of_its_own(raysim) -> None:
    for command in (("list", "nodes"), ("get", "node", "ab"), ("summary", "tasks"), ("status",)):
        ended = raysim(*command, "--address", "127.0.0.1:1")
        assert ended.code == 1
        assert ended.out == ""
        assert "127.0.0.1:1" in ended.err


@pytest.mark.parametrize("command", ["list", "get", "summary", "memory", "logs", "doctor"])
def test_help_has_an_example(raysim, command) -> None:
    assert f"\n  raysim {command} " in raysim(command, "--help").out


def test_filters_have_their_sign_before_the_value() -> None:
    found = state.filters_of(StateResource.TASKS, ["name=a!=b", "state != FAILED", "name=x=y"])
    assert found == [
        ("name", "=", "a!=b"),
        ("state", "!=", "FAILED"),
        ("name", "=", "x=y"),
    ]
    with pytest.raises(BadInputError, match="'name' is no filter"):
        state.filters_of(StateResource.TASKS, ["name"])


def test_watching_asks_again_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(state.time, "sleep", slept.append)
    shown: list[int] = []

    def show() -> None:
        shown.append(len(shown))
        if len(shown) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        state.repeatedly(show, 5.0)
    assert (shown, slept) == ([0, 1, 2], [5.0, 5.0])
    state.repeatedly(lambda: shown.append(9), None)
    assert (shown[-1], len(slept)) == (9, 2)
