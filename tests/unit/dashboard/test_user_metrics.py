"""What programs count, as Prometheus reads it, and that nothing falls when a process is killed."""

import pytest

from raysim.dashboard import user_metrics
from raysim.dashboard.user_metrics import Remembered, exposition
from raysim.util.metrics import Rows


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


def seen_of(seen: Remembered, *rows: dict, ended: tuple[str, ...] = ()) -> dict[str, float]:
    """By name and process, the sum of its numbers."""
    found: dict[str, float] = {}
    for one in seen.with_those_gone(Rows(list(rows), frozenset(ended))):
        key = f"{one['name']} {one['worker_id']}".strip()
        assert key not in found, "A series is there once."
        found[key] = sum(value for _, _, value in one["numbers"])
    return found


def counted(process: str, value: float) -> dict:
    return row(process, "n", "counter", ("_total", {"kind": "x"}, value))


def test_what_is_counted_is_one_series_of_all_processes_and_a_gauge_is_one_of_each() -> None:
    gauges = [row(process, "g", "gauge", ("", {}, 1.0)) for process in "ab"]
    found = seen_of(Remembered(), counted("a", 1.0), counted("b", 5.0), *gauges)
    assert found == {"n": 6.0, "g a": 1.0, "g b": 1.0}


def test_one_that_was_killed_has_not_counted_less_and_shows_no_gauge_any_more() -> None:
    seen = Remembered()
    shown = row("a", "g", "gauge", ("", {}, 1.0))
    assert seen_of(seen, counted("a", 1.0), shown, counted("b", 5.0)) == {"n": 6.0, "g a": 1.0}
    assert seen_of(seen, counted("b", 5.0)) == {"n": 6.0}
    assert seen_of(seen, counted("a", 2.0)) == {"n": 7.0}, "It was only slow."


def test_one_that_ended_well_is_counted_once() -> None:
    """The GCS has it in its sum from then on."""
    seen = Remembered()
    assert seen_of(seen, counted("a", 1.0), counted("b", 5.0)) == {"n": 6.0}
    assert seen_of(seen, counted("", 3.0), counted("b", 5.0), ended=("a",)) == {"n": 8.0}
    assert seen_of(seen, counted("", 3.0), ended=("a",)) == {"n": 8.0}
    assert seen_of(seen, counted("", 9.0), ended=("a", "b")) == {"n": 9.0}


def test_no_counter_falls_however_many_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_metrics, "MOST", 2)
    seen = Remembered()
    for number in range(20):
        assert seen_of(seen, counted(f"p{number}", 1.0)) == {"n": number + 1}
    assert seen_of(seen) == {"n": 20.0}


def test_so_many_numbers_of_killed_processes_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(user_metrics, "MOST", 0)
    monkeypatch.setattr(user_metrics, "MOST_SERIES", 2)
    seen = Remembered()
    for name in "abcd":
        seen_of(seen, row(name, name, "counter", ("_total", {}, 1.0)))
        seen_of(seen)
    assert list(seen_of(seen)) == ["c", "d"]
