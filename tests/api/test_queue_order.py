"""Whose turn it is where tasks wait for a core: the order that `init` names, by what each task says of itself."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import JUDGE, ON_RAY
from tests.api.patience import Gate


@pytest.fixture(autouse=True)
def ours(backend: str) -> None:
    if backend in (ON_RAY, JUDGE):
        pytest.skip("Ray has one order only")


@pytest.fixture
def served(fresh: Callable[..., Any], gate: Gate, tmp_path: Path) -> Callable[..., list[str]]:
    """In which order one core serves tasks with these labels, which came while it was busy."""

    def served(order: str, **tasks: dict[str, str]) -> list[str]:
        ray = fresh(num_cpus=1, _system_config={"queue": order})
        began = Gate(tmp_path / "began")

        @ray.remote
        def first() -> None:
            began.open()
            gate.go_through()

        @ray.remote
        def run() -> float:
            return time.monotonic()

        ahead = first.remote()
        began.go_through()
        refs = [
            run.options(
                _labels={f"raysim.io/{word}": text for word, text in labels.items()}
            ).remote()
            for labels in tasks.values()
        ]
        gate.open()
        assert ray.get(ahead, timeout=60) is None
        begun = dict(zip(tasks, ray.get(refs, timeout=60), strict=True))
        return sorted(begun, key=lambda name: begun[name])

    return served


def lasts(*durations: str) -> dict[str, dict[str, str]]:
    return {f"t{text}": {"expected-duration": text} for text in durations}


def test_shortest_job_first(served):
    assert served("sjf", **lasts("3s", "1s", "2s")) == ["t1s", "t2s", "t3s"]


def test_priority(served):
    wanted = {f"p{level}": {"priority": str(level)} for level in (0, 2, -1, 1)}
    assert served("priority", **wanted) == ["p2", "p1", "p0", "p-1"]


def test_users_take_turns(served):
    """The core's first task was the job's own, so that both have had as much as each other: nothing."""
    wanted = {f"{user}{n}": {"user": user} for user in "ab" for n in range(2)}
    assert served("las", **wanted)[:2] == ["a0", "b0"]


def test_ray_s_order_is_that_of_arrival(served):
    assert served("fifo", **lasts("3s", "1s", "2s")) == ["t3s", "t1s", "t2s"]


def test_a_task_that_waits_for_its_own_is_not_held_up_by_those_who_wait(fresh, backend):
    """Two cores: what waits for both of them has its turn only once the task that submits another has ended."""
    ray = fresh(num_cpus=2, _system_config={"queue": "fcfs"})

    @ray.remote
    def child() -> int:
        return 1

    @ray.remote(num_cpus=2)
    def large() -> int:
        return 2

    @ray.remote
    def parent() -> int:
        behind = large.remote()
        return ray.get(child.remote()) + ray.get(behind)

    refs = [parent.remote(), large.remote()]
    assert ray.get(refs, timeout=60) == [3, 2]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (
            {"raysim.io/priorty": "1"},
            "There is no label 'raysim.io/priorty'; did you mean priority?",
        ),
        ({"raysim.io/priority": "high"}, "Label 'raysim.io/priority': invalid literal for int"),
        ({"raysim.io/deadline": "5"}, "Label 'raysim.io/deadline': duration '5' has no unit"),
    ],
)
def test_what_a_task_cannot_say_is_refused(lib, labels, told):
    task = lib.remote(lambda: None)
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        task.options(_labels=labels)


def test_an_order_that_is_none_is_refused_by_init(fresh):
    with pytest.raises(ValueError, match="unknown queue order 'sfj'; did you mean sjf"):
        fresh(_system_config={"queue": "sfj"})
