"""What programs count, as Prometheus reads it, and that nothing falls when a process is killed."""

import pytest

from raysim.dashboard import user_metrics
from raysim.dashboard.user_metrics import Remembered, exposition


def row(process: str, name: str, kind: str, *numbers: tuple) -> dict:
    return {
        "name": name,
        "kind": kind,
        "description": "What\nit is.",
        "job_id": "01000000",
        "worker_id": process,
        "node_ip": "10.0.0.5",
        "numbers": list(numbers),
    }


OWN = 'Component="core_worker",JobId="01000000",NodeAddress="10.0.0.5"'


def test_each_name_is_described_once_and_each_process_has_its_series() -> None:
    said = exposition(
        [
            row("a", "calls", "counter", ("_total", {"kind": 'x"y'}, 2.0)),
            row("b", "calls", "counter", ("_total", {"kind": "z"}, 3.0)),
            row("b", "load", "gauge", ("", {}, 0.5)),
        ]
    )
    assert said.splitlines() == [
        "# HELP ray_calls_total What\\nit is.",
        "# TYPE ray_calls_total counter",
        f'ray_calls_total{{{OWN},WorkerId="a",kind="x\\"y"}} 2.0',
        f'ray_calls_total{{{OWN},WorkerId="b",kind="z"}} 3.0',
        "# HELP ray_load What\\nit is.",
        "# TYPE ray_load gauge",
        f'ray_load{{{OWN},WorkerId="b"}} 0.5',
    ]


def test_a_histogram_is_one_family() -> None:
    numbers = (("_bucket", {"le": "+Inf"}, 1.0), ("_sum", {}, 0.5), ("_count", {}, 1.0))
    said = exposition([row("a", "taken_s", "histogram", *numbers)]).splitlines()
    assert said[1] == "# TYPE ray_taken_s histogram"
    assert [line.partition("{")[0] for line in said[2:]] == [
        "ray_taken_s_bucket",
        "ray_taken_s_sum",
        "ray_taken_s_count",
    ]


def test_a_name_of_two_kinds_is_the_first_one() -> None:
    said = exposition(
        [row("a", "n", "gauge", ("", {}, 1.0)), row("b", "n", "counter", ("_total", {}, 1.0))]
    )
    assert "counter" not in said


def test_nothing_counted_is_nothing_said() -> None:
    assert exposition([]) == ""
    assert exposition([row("a", "n", "counter")]) == ""


def test_a_process_that_is_gone_has_not_counted_less_and_shows_no_gauge_any_more() -> None:
    seen = Remembered()
    counted, shown = row("a", "n", "counter", ("_total", {}, 1.0)), row("a", "g", "gauge")
    other = row("b", "n", "counter", ("_total", {}, 5.0))
    assert seen.with_those_gone([counted, shown, other]) == [counted, shown, other]
    assert seen.with_those_gone([other]) == [counted, other]
    later = row("a", "n", "counter", ("_total", {}, 2.0))
    assert seen.with_those_gone([later]) == [other, later]


def test_of_one_that_ended_while_it_was_asked_the_last_word_counts() -> None:
    first, last = (row("a", "n", "counter", ("_total", {}, value)) for value in (1.0, 2.0))
    assert Remembered().with_those_gone([first, last]) == [last]


def test_so_many_processes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_metrics, "MOST", 2)
    seen = Remembered()
    rows = [row(name, "n", "counter", ("_total", {}, 1.0)) for name in "abc"]
    assert seen.with_those_gone(rows) == rows
    assert seen.with_those_gone([]) == rows[1:]
