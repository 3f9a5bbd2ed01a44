"""The report's page in a real browser: what a reader sees on a desktop and on a phone, in the light and in the dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysim.report.comparison_page import write
from raysim.report.folder import write_report
from raysim.scenario.comparison import Comparison, Outcome, Plan
from raysim.scenario.loading import load_experiment, parse_scenario
from raysim.scenario.running import RunOptions, run_workflow
from tests.browser.chromium import Browser, installed
from tests.browser.looks import CONTRAST, NAMELESS, SHIFTS

pytestmark = pytest.mark.skipif(not installed(), reason="there is no Chromium")

DRAWN = "document.documentElement.dataset.drawn === 'yes'"
DESKTOP = (1280, 900)
PHONE = (390, 844)

MANY = """
cluster: {nodes: 120, cpus: 8}
workload: {kind: tasks, count: 3000, duration: 5s}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Of a workflow that loses a node."""
    run = run_workflow(load_experiment(repository / "scenarios" / "quickstart.yaml"), RunOptions())
    return write_report(run, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = run_workflow(parse_scenario(MANY, Path("many.yaml")), RunOptions())
    return write_report(run, tmp_path_factory.mktemp("many"))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_every_text_can_be_read_and_nothing_sticks_out(browser, page, size, dark):
    browser.size(*size, dark=dark)
    browser.open(page, DRAWN)
    assert browser.value(CONTRAST) == []
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    assert browser.complaints() == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_comparison_of_policies_can_be_read_as_well(browser, tmp_path, size, dark):
    plan = Plan(("mine.yaml",), ("hybrid", "spread"), 6, 0, ("makespan_s", "p95(task_wait)"))
    outcomes = tuple(
        Outcome(cell, (cell.seed + 2.0 * (cell.policy == "hybrid"), 1.0 + cell.seed))
        for cell in plan.cells()
    )
    write(Comparison(plan, outcomes), tmp_path)
    browser.size(*size, dark=dark)
    browser.open(tmp_path / "comparison.html")
    assert browser.value("document.querySelectorAll('b.less').length") == 1
    assert browser.value(CONTRAST) == []
    assert browser.value(NAMELESS) == []
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    assert browser.complaints() == []


def test_everything_that_one_can_reach_has_a_name(browser, page):
    browser.size(*DESKTOP)
    browser.open(page, DRAWN)
    assert browser.value(NAMELESS) == []
    assert browser.value("document.querySelectorAll('h1').length") == 1
    assert browser.value("document.documentElement.lang") == "en"


@pytest.mark.parametrize("width", [DESKTOP[0], PHONE[0]])
def test_nothing_moves_once_it_is_shown(browser, page, width):
    browser.size(width, 5_000)  # Only what is in sight counts.
    browser.open(page, DRAWN)
    assert browser.value(SHIFTS) < 0.01


def shown(browser: Browser) -> tuple[str, str]:
    """The range in words, and the part of the curves that is seen."""
    range_ = browser.value("document.getElementById('range').textContent")
    box = browser.value("document.querySelector('svg.strip').getAttribute('viewBox')")
    return range_, " ".join(f"{float(part):.0f}" for part in box.split())


def test_one_looks_closer_with_the_keys_and_the_curves_come_along(browser, page):
    browser.size(*DESKTOP)
    browser.open(page, DRAWN)
    browser.value("(document.getElementById('scroll').focus(), 0)")
    assert shown(browser) == ("0s to 1m07s", "0 0 10000 100")
    browser.key("+", "+")
    assert shown(browser) == ("16.82s to 50.45s", "2500 0 5000 100")
    browser.key("ArrowLeft")
    assert shown(browser)[1] == "1250 0 5000 100"
    browser.key("Home")
    assert shown(browser) == ("0s to 1m07s", "0 0 10000 100")
    assert browser.value("document.getElementById('whole').disabled") is True


def test_one_looks_closer_with_the_mouse(browser, page):
    browser.size(*DESKTOP)
    browser.open(page, DRAWN)
    browser.value("(document.getElementById('timeline').scrollIntoView({behavior: 'instant'}), 0)")
    box = json.loads(
        browser.value("JSON.stringify(document.getElementById('gantt').getBoundingClientRect())")
    )
    left, width = box["left"] + 90, box["width"] - 90 - 12
    y = box["top"] + 40
    browser.drag((left + width * 0.5, y), (left + width * 0.75, y))
    start, _, span, _ = map(int, shown(browser)[1].split())
    assert (start, span) == (pytest.approx(5000, abs=20), pytest.approx(2500, abs=20))
    browser.value("(document.getElementById('whole').click(), 0)")
    assert shown(browser)[1] == "0 0 10000 100"


def test_of_many_nodes_one_sees_how_busy_they_are_and_each_task_on_request(browser, large):
    browser.size(*DESKTOP)
    browser.open(large, DRAWN)
    pressed = "document.getElementById('by').getAttribute('aria-pressed')"
    assert browser.value(pressed) == "true"
    high = "document.getElementById('scroll').scrollHeight"
    overview = browser.value(high)
    browser.value("(document.getElementById('by').click(), 0)")
    assert browser.value(pressed) == "false"
    assert browser.value(high) > 4 * overview
    assert browser.complaints() == []
