"""The dashboard in a real browser, with a cluster behind it that works and fails, and with a run that is over."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from tests.browser.chromium import Browser, installed
from tests.browser.looks import CONTRAST, LABELLESS, NAMELESS, SHIFTS
from tests.cluster.started import Machine
from tests.unit.cluster.authority import Authority

pytestmark = pytest.mark.skipif(not installed(), reason="there is no Chromium")

DRAWN = "document.documentElement.dataset.drawn === 'yes'"
DESKTOP = (1280, 900)
PHONE = (390, 844)

PAGES = (
    *("overview", "nodes", "jobs", "tasks", "actors", "objects"),
    *("placement_groups", "timeline", "logs", "events", "metrics"),
)
OF_A_RUN = ("overview", "nodes", "tasks", "timeline", "events")

WORK = """
ray.init("auto", namespace="here", log_to_driver=False)
@ray.remote
def good(number): return number
@ray.remote(max_retries=0)
def bad():
    print("said before it failed")
    raise ValueError("the <b>reason</b>")
kept = [Keeper.options(name=f"keeper-{n}").remote() for n in range(2)]
ray.get([*(one.call.remote() for one in kept), *(good.remote(number) for number in range(120))])
ray.kill(kept[1])
group = placement_group([{"CPU": 0.1}], name="small")
ray.get(group.ready())
large = ray.put(bytes(2_000_000))
try: ray.get(bad.remote())
except ValueError: pass
tell("ready")
while wait(): tell(ray.get([good.options(name="later").remote(number) for number in range(7)])[-1])
"""


class Opened:
    """A browser that is logged in."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url

    def show(self, page: str) -> None:
        self.browser.open(f"{self.url}/#/{page}", DRAWN)

    def main(self) -> str:
        text: str = self.browser.value("document.getElementById('main').innerText")
        return text

    def until(self, expression: str) -> None:
        """What the page does by itself, now that it was asked to."""
        self.browser.value(
            f"""new Promise((tell, fail) => {{
              const end = performance.now() + 30000;
              const look = () => ({expression}) ? tell(0)
                : performance.now() > end ? fail(Error(document.body.innerText)) : setTimeout(look, 20);
              look();
            }})"""
        )


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        # Its user has looked at the authority of the cluster.
        found.call("Security.setIgnoreCertificateErrors", ignore=True)
        yield found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple]:
    tls = Authority(tmp_path_factory.mktemp("authority")).files()
    how = ("--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.ca)
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        size = ("--object-store-memory", "64MiB", "--num-cpus", "2")
        begun = machine.raysim(
            "start", "--head", "--port", "0", "--dashboard-port", "0", *size, *how
        )
        url = re.search(r"Dashboard: (\S+)", begun.stdout)[1]
        token = (Path(machine.environment["HOME"]) / ".raysim/auth_token").read_text().strip()
        with machine.program(WORK) as program:
            assert program.told() == "ready"
            browser.size(*DESKTOP)
            there = f"location.pathname === '/' && {DRAWN}"
            browser.open(f"{url}/login#token={token}", there)
            yield Opened(browser, url), program, token


@pytest.fixture
def opened(cluster: tuple) -> Opened:
    return cluster[0]


@pytest.fixture(scope="module")
def past(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, browser: Browser
) -> Iterator[Opened]:
    """A workflow that loses a node."""
    folder = tmp_path_factory.mktemp("run")
    raysim = [sys.executable, "-m", "raysim"]
    ran = [*raysim, "run", str(repository / "scenarios/quickstart.yaml"), "--out", str(folder)]
    subprocess.run(ran, check=True, capture_output=True, cwd=repository)
    command = [*raysim, "dashboard", str(folder), "--port", "0"]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=repository
    )
    try:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        browser.size(*DESKTOP)
        browser.open(link, f"location.pathname === '/' && {DRAWN}")
        yield Opened(browser, link.partition("/login")[0])
    finally:
        server.kill()
        server.communicate()


def assert_looks_well(browser: Browser, width: int) -> None:
    assert browser.value(CONTRAST) == []
    assert browser.value(NAMELESS) == []
    assert browser.value(LABELLESS) == []
    assert browser.value("document.querySelectorAll('h1').length") == 1
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.complaints() == []


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_read_and_named_and_nothing_sticks_out_or_moves(
    opened: Opened, page: str, size: tuple[int, int], dark: bool
) -> None:
    opened.browser.size(*size, dark=dark)
    opened.show(page)
    assert_looks_well(opened.browser, size[0])
    assert opened.browser.value(SHIFTS) < 0.05


def test_the_cookie_is_for_https_and_for_no_script(opened: Opened) -> None:
    assert opened.url.startswith("https://")
    opened.show("overview")
    [cookie] = opened.browser.call("Network.getCookies", urls=[opened.url])["cookies"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")


@pytest.mark.parametrize(
    ("looked", "planted", "found"),
    [
        (CONTRAST, "<p style='color: #aaa; background: #fff'>pale</p>", "pale: 2.3"),
        (NAMELESS, "<button></button>", "<button>"),
        (LABELLESS, "<input name='q'>", "<input"),
        (LABELLESS, "<a href='/x'></a>", "<a href"),
        (LABELLESS, "<table><tr><td>1</td></tr></table>", "<table>"),
    ],
)
def test_what_is_hard_to_read_or_has_no_name_is_seen(
    opened: Opened, looked: str, planted: str, found: str
) -> None:
    opened.browser.size(*DESKTOP)
    opened.show("nodes")
    plant = json.dumps(f"<div id='planted'>{planted}</div>")
    opened.browser.value(f"(document.body.insertAdjacentHTML('beforeend', {plant}), 0)")
    try:
        said = opened.browser.value(looked)
        assert len(said) == 1
        assert said[0].startswith(found)
    finally:
        opened.browser.value("(document.getElementById('planted').remove(), 0)")


def test_what_moves_is_seen(opened: Opened) -> None:
    opened.browser.size(*DESKTOP)
    opened.show("overview")
    still = opened.browser.value(SHIFTS)
    push = "document.querySelector('main').style.marginTop"
    wait = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go(0))))"
    opened.browser.value(f"({push} = '300px', {wait})")
    assert opened.browser.value(SHIFTS) > still + 0.05
    opened.browser.value("(location.reload(), 0)")


def test_rows_name_their_nodes(opened: Opened) -> None:
    """Ids are for programs."""
    opened.browser.size(*DESKTOP)
    named = "document.querySelector('main table th[scope=row]').firstChild.textContent"
    opened.show("nodes")
    opened.until("document.querySelector('main table th[scope=row]')")
    name = opened.browser.value(named)
    for page in ("tasks?name=bad", "actors", "placement_groups"):
        opened.show(page)
        opened.until(
            shown := f"document.getElementById('main').innerText.includes({json.dumps(name)})"
        )
    opened.show("tasks?state=FAILED")
    opened.until("document.querySelector('.listing a')")
    opened.browser.value("(document.querySelector('.listing a').click(), 0)")
    opened.until(f"document.querySelector('pre.error') && {shown}")


def test_one_finds_why_a_task_failed_with_one_click(opened: Opened) -> None:
    """Three are allowed. What the task said is text: nothing of it becomes a part of the page."""
    opened.browser.size(*DESKTOP)
    opened.show("overview")
    opened.browser.value("(document.querySelector('main a[href^=\"#/tasks/\"]').click(), 0)")
    opened.until(
        "document.querySelector('pre.error') && document.querySelectorAll('pre').length > 2"
    )
    assert "ValueError: the <b>reason</b>" in opened.main()
    assert "said before it failed" in opened.main()
    assert "TASK_EXECUTION_EXCEPTION" in opened.browser.value(
        "document.querySelector('pre.why').innerText"
    )
    assert opened.browser.value("document.querySelectorAll('main b').length") == 0
    assert_looks_well(opened.browser, DESKTOP[0])


def test_an_actor_that_is_gone_says_why(opened: Opened) -> None:
    opened.show("actors?state=DEAD")
    opened.until("document.querySelector('main a[href^=\"#/actors/\"]')")
    opened.browser.value("(document.querySelector('main a[href^=\"#/actors/\"]').click(), 0)")
    opened.until("document.querySelector('pre.why')?.innerText.includes('keeper-1')")
    assert "is dead" in opened.browser.value("document.querySelector('pre.why').innerText")
    assert_looks_well(opened.browser, DESKTOP[0])


def test_rows_are_filtered_and_cut_by_the_server(opened: Opened) -> None:
    opened.show("tasks?name=good")
    opened.until("document.querySelectorAll('.listing tbody tr').length === 50")
    assert "1 to 50 of 120 in all" in opened.main()
    opened.browser.value(
        "([...document.querySelectorAll('button')].find((b) => b.textContent === 'Next').click(), 0)"
    )
    opened.until("document.body.innerText.includes('51 to 100 of 120')")
    opened.show("tasks")
    opened.browser.value(
        "(() => { const s = document.querySelector('select[name=state]'); s.value = 'FAILED';"
        " s.dispatchEvent(new Event('change')); return 0; })()"
    )
    opened.until("location.hash === '#/tasks?state=FAILED'")
    opened.until("document.querySelectorAll('.listing tbody tr').length === 1")


def test_progress_comes_by_itself(cluster: tuple) -> None:
    opened, program, _ = cluster
    opened.show("tasks")
    assert "later" not in opened.main()
    program.go_on()
    assert program.told() == 6
    opened.until("document.querySelector('main').innerText.includes('later')")


def test_a_log_is_followed(opened: Opened) -> None:
    opened.show("logs")
    opened.until("document.querySelector('.files a[href$=\".out\"]')")
    opened.browser.value("(document.querySelector('.files a[href$=\".out\"]').click(), 0)")
    opened.until("document.querySelector('pre.log')")
    assert opened.browser.complaints() == []


def test_the_keyboard_alone_is_enough(opened: Opened) -> None:
    opened.browser.size(*DESKTOP)
    opened.show("overview")
    opened.browser.key("Tab")
    assert opened.browser.value("document.activeElement.textContent") == "Skip to the page"
    opened.browser.key("Enter", "\r")
    assert opened.browser.value("document.activeElement.id") == "main"
    outline = "(document.querySelector('nav a').focus(), 0)"
    opened.browser.value(outline)
    opened.browser.key("Tab")
    shown = opened.browser.value("getComputedStyle(document.activeElement).outlineStyle")
    assert shown == "solid"


def test_one_chooses_between_light_and_dark(opened: Opened) -> None:
    opened.browser.size(*DESKTOP)
    opened.show("overview")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = opened.browser.value(paper)
    opened.browser.value("(document.getElementById('theme').click(), 0)")
    assert opened.browser.value(paper) != light
    opened.show("nodes")
    assert opened.browser.value(paper) != light, "it is kept"
    assert opened.browser.value(CONTRAST) == []
    opened.browser.value("(document.getElementById('theme').click(), 0)")
    assert opened.browser.value(paper) == light


def test_a_wrong_token_is_told_so_and_a_right_one_opens(cluster: tuple) -> None:
    opened, _, token = cluster
    opened.browser.size(*DESKTOP)
    opened.browser.value("fetch('/logout', { method: 'POST' }).then(() => 0)")
    try:
        told = "location.search === '?wrong' && !!document.getElementById('wrong')"
        opened.browser.open(
            f"{opened.url}/login#token=wrong", f"{told} && !document.getElementById('wrong').hidden"
        )
        assert_looks_well(opened.browser, DESKTOP[0])
    finally:
        opened.browser.open(
            f"{opened.url}/login#token={token}", f"location.pathname === '/' && {DRAWN}"
        )
    assert token not in opened.browser.value("location.href + document.cookie")


@pytest.mark.parametrize("page", OF_A_RUN)
def test_a_run_that_is_over_has_the_same_pages(past: Opened, page: str) -> None:
    past.browser.size(*PHONE)
    past.show(page)
    assert_looks_well(past.browser, PHONE[0])


def test_one_moves_through_the_time_of_a_run(past: Opened) -> None:
    past.browser.size(*DESKTOP)
    past.show("overview")
    tile = "JSON.stringify([...document.querySelectorAll('.tile')].map((e) => e.innerText.split('\\n')))"
    at_the_end = dict(row[:2] for row in json.loads(past.browser.value(tile)))
    assert at_the_end["Tasks running"] == "0"
    marks = past.browser.value(
        "[...document.querySelectorAll('.marks button')].map((e) => e.innerText)"
    )
    assert any(mark.startswith("fault at") for mark in marks)
    past.browser.value("(document.querySelector('.marks button').click(), 0)")
    running = "document.querySelectorAll('.tile')[2]?.innerText.split('\\n')[1]"
    past.until(f"({running} ?? '0') !== '0'")
    then = dict(row[:2] for row in json.loads(past.browser.value(tile)))
    assert int(then["Tasks finished"]) < int(at_the_end["Tasks finished"])
