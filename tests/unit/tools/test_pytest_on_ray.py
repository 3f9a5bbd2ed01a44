"""The runner of tests on Ray, with suites that need no Ray."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

HELP = """
import os, signal, subprocess, time
from pathlib import Path

import pytest

HERE = Path(__file__).parent

def attempt(name):
    with (HERE / name).open("a") as file:
        file.write(f"{os.getpid()}\\n")
    return len((HERE / name).read_text().split())
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Start]:
    """Runs a suite of one module."""
    started: list[subprocess.Popen[str]] = []

    def start(
        suite: str, *arguments: str, silence: float = 200, within: float = 200
    ) -> subprocess.Popen[str]:
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\n")
        file = tmp_path / "test_suite.py"
        file.write_text(HELP + textwrap.dedent(suite))
        command = [sys.executable, "-m", "tools.pytest_on_ray", str(file), "--trouble=2"]
        command += [
            f"--silence={silence}",
            f"--within={within}",
            "--",
            "-c",
            str(tmp_path / "pytest.ini"),
            "-p",
            "no:cacheprovider",
            *arguments,
        ]
        # The plugins that are installed here take most of a start, and have nothing to do.
        surroundings = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, cwd=repository, env=surroundings, **piped))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def play(start: Start) -> Callable[..., tuple[int, str]]:
    """What a suite ends with: the status, and the report that comes last."""

    def play(suite: str, *arguments: str, **options: float) -> tuple[int, str]:
        process = start(suite, *arguments, **options)
        printed, _ = process.communicate()
        return process.returncode, printed[printed.rfind("\n== ") :].strip()

    return play


@pytest.fixture
def attempts(tmp_path: Path) -> Callable[[str], list[int]]:
    """The processes in which a test was tried, in turn."""

    def attempts(name: str) -> list[int]:
        return [int(each) for each in (tmp_path / name).read_text().split()]

    return attempts


def test_what_passes_is_run_once_in_one_process(play, attempts):
    status, report = play(
        """
        @pytest.mark.parametrize("n", range(3))
        def test_good(n): attempt("good")
        def test_none(): pytest.skip("nothing to do")
        """
    )
    assert (status, report) == (0, "== 4 tests: 3 passed, 1 skipped ==")
    assert len(attempts("good")) == 3
    assert len(set(attempts("good"))) == 1


def test_what_fails_once_is_tried_again_in_a_fresh_process_after_all_others(play, attempts):
    status, report = play(
        """
        def test_first(): assert attempt("first") > 1, "Ray has lost it"
        def test_second(): assert attempt("first") == 2
        def test_third(): attempt("third")
        """
    )
    assert status == 0
    assert "3 tests: 3 passed" in report
    assert "test_first: passed\n    attempt 1: call: AssertionError: Ray has lost it" in report
    failed, second, again = attempts("first")
    assert len({failed, second, again}) == 3, "a failure leaves nothing for other tests"
    assert attempts("third") == [second]


def test_what_fails_always_fails_after_three_attempts_and_the_others_are_run(play, attempts):
    status, report = play(
        """
        def test_bad(): assert attempt("bad") == 0
        def test_good(): attempt("good")
        """
    )
    assert status == 1
    assert "2 tests: 1 failed, 1 passed" in report
    assert "test_bad: FAILED" in report
    assert len(set(attempts("bad"))) == 3
    assert len(attempts("good")) == 1


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_fixture_that_fails_is_a_failure_of_its_test(play, phase):
    status, report = play(
        f"""
        @pytest.fixture
        def room():
            first = attempt("room") == 1
            assert not (first and "{phase}" == "before")
            yield
            assert not (first and "{phase}" == "after")
        def test_it(room): pass
        """
    )
    assert status == 0
    assert f"attempt 1: {'setup' if phase == 'before' else 'teardown'}: AssertionError" in report


@pytest.mark.parametrize(
    ("end", "told"), [("os._exit(1)", "status 1"), ("os.kill(os.getpid(), 9)", "status -9")]
)
def test_a_death_is_a_failure_of_its_test_and_the_others_go_on(play, attempts, end, told):
    status, report = play(
        f"""
        def test_a(): attempt("a")
        def test_b():
            if attempt("b") == 1: {end}
        def test_c(): attempt("c")
        """
    )
    assert status == 0
    assert "3 tests: 3 passed" in report
    assert f"test_b: passed\n    attempt 1: its process ended with {told}" in report
    assert [len(attempts(name)) for name in "abc"] == [1, 2, 1]


def test_a_death_between_two_tests_is_told_and_loses_no_test(play):
    status, report = play(
        """
        import atexit
        def test_a():
            atexit.register(os._exit, 7)
        """
    )
    assert status == 0
    assert "1 tests: 1 passed" in report
    assert "between two tests: its process ended with status 7" in report


def test_a_hang_is_ended_and_shows_where_it_was(start):
    process = start(
        """
        def test_it():
            if attempt("it") == 1:
                hang()
        def hang():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(10_000)
        """,
        silence=8,
    )
    printed, _ = process.communicate()
    assert process.returncode == 0
    assert "in hang" in printed
    assert "attempt 1: no news for 8 s" in printed


def test_more_trouble_than_ray_ever_made_ends_the_run(play):
    status, report = play(
        """
        @pytest.mark.parametrize("n", range(9))
        def test_it(n): assert attempt(str(n)) > 1 or n in (1, 2)
        """
    )
    assert status == 1
    assert "9 tests: 3 failed, 4 not run, 2 passed" in report
    assert "too much to be put down to Ray" in report


@pytest.mark.parametrize(
    ("suite", "arguments", "ends"),
    [
        ("import not_there", [], 2),
        ("def test_it(): pass", ["-k", "other"], 5),
        ("def test_it(): pass", ["--no-such-option"], 4),
    ],
)
def test_mistakes_are_not_tried_again(start, suite, arguments, ends):
    process = start(suite, *arguments)
    printed, _ = process.communicate()
    assert process.returncode == ends
    assert "== 0 tests" in printed


def test_arguments_hold_in_every_attempt(play, attempts):
    status, report = play(
        """
        def test_good(): assert attempt("good") > 1
        def test_left_out(): attempt("left_out")
        """,
        "-k",
        "good",
    )
    assert (status, "1 tests: 1 passed" in report) == (0, True)
    with pytest.raises(FileNotFoundError):
        attempts("left_out")


ORPHAN = """
def orphan():
    # Its parent ends at once, and it has a session of its own: as what Ray starts.
    command = ["bash", "-c", "setsid sleep 10000 > /dev/null 2>&1 & echo $!"]
    (HERE / "orphan").write_text(subprocess.check_output(command, text=True))
"""


def test_what_a_dead_process_left_is_ended_before_the_next_one_starts(play, tmp_path):
    status, report = play(
        ORPHAN
        + textwrap.dedent(
            """
        def test_it():
            if attempt("it") == 1:
                orphan()
                os._exit(1)
            left = int((HERE / "orphan").read_text())
            with pytest.raises(ProcessLookupError): os.kill(left, 0)
        """
        )
    )
    assert (status, "1 passed" in report) == (0, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything_and_still_reports(start, attempts, tmp_path, number):
    process = start(
        ORPHAN
        + textwrap.dedent(
            """
        def test_quick(): pass
        def test_long():
            orphan()
            attempt("long")
            time.sleep(10_000)
        """
        )
    )
    while not (tmp_path / "long").exists() or not (tmp_path / "long").read_text().endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    printed, _ = process.communicate()
    assert process.returncode == 130
    assert "KeyboardInterrupt" in printed, "pytest ended on its own"
    assert "2 tests: 1 not run, 1 passed" in printed
    for pid in [*attempts("long"), int((tmp_path / "orphan").read_text())]:
        assert not psutil.pid_exists(pid)


LATE = """
def test_first(): assert attempt("first") > 1, "Ray has lost it"
def test_second(): attempt("second")
def test_third(): attempt("third"); time.sleep({seconds})
def test_fourth(): attempt("fourth")
"""


def test_when_the_time_is_over_what_failed_is_tried_again_and_the_rest_is_left_out(play, attempts):
    # A start takes some tenths of a second, several seconds where the machine is busy.
    status, report = play(LATE.format(seconds=600), within=15)
    assert status == 0
    assert "4 tests: 2 not run, 2 passed ==" in report
    assert "Not run, as 15 s were over" in report
    assert len(attempts("first")) == 2
    with pytest.raises(FileNotFoundError):
        attempts("fourth")


def test_a_time_in_which_nothing_was_run_is_no_success(play):
    status, report = play("def test_slow(): time.sleep(600)", within=0)
    assert status == 1
    assert "1 tests: 1 not run ==" in report
