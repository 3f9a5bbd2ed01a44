"""Simulated code is Python: exceptions, asserts, a debugger and coverage reach into tasks and actors."""

import re
import subprocess
import sys
import trace
import traceback

import pytest

import raysim as ray
from raysim.testing import simulate


class OutOfStock(Exception):
    def __init__(self, item, left):
        super().__init__(item, left)
        self.item = item
        self.left = left


@ray.remote(max_retries=0)
def order(item):
    raise OutOfStock(item, 0)


@ray.remote(max_retries=0)
def check(x):
    assert x > 10, f"{x} is too little"
    return x


@ray.remote
class Counter:
    def __init__(self):
        self.total = 0

    def add(self, amount):
        self.total += amount
        return self.total


def branch(x):
    if x % 2:
        return "odd"
    return "even"


@ray.remote
def name_of(x):
    return branch(x)


def test_an_exception_of_a_task_is_caught_as_what_it_is():
    @simulate(seeds=3)
    def program():
        with pytest.raises(OutOfStock) as raised:
            ray.get(order.remote("nails"))
        assert (raised.value.item, raised.value.left) == ("nails", 0)
        shown = "".join(traceback.format_exception(raised.value))
        assert "raise OutOfStock(item, 0)" in shown
        assert "in order" in shown

    program()


def test_an_exception_that_nobody_catches_fails_the_test_as_what_it_is():
    @simulate(seeds=3)
    def program():
        ray.get(order.remote("nails"))

    with pytest.raises(OutOfStock, match="OutOfStock") as raised:
        program()
    assert "it fails with seed 0" in raised.value.__notes__[0]


def test_an_assert_in_a_task_fails_the_test_with_its_message():
    @simulate(seeds=3)
    def program():
        ray.get(check.remote(3))

    with pytest.raises(AssertionError, match="3 is too little"):
        program()


def test_the_traceback_of_a_test_ends_in_the_test():
    @simulate(seeds=1)
    def program():
        ray.get(check.remote(3))

    with pytest.raises(AssertionError) as raised:
        program()
    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.filename, last.name) == (__file__, "program")


DEBUGGED = """
import raysim as ray
from raysim.testing import simulate

@ray.remote
def work(secret):
    doubled = 2 * secret
    breakpoint()
    return doubled

@simulate(seeds=2)
def test_it():
    assert ray.get(work.remote(21)) == 42
"""


def test_a_breakpoint_in_a_task_stops_there(run_pytest):
    done = run_pytest(DEBUGGED, "-s", stdin="p secret, doubled\nw\nc\np doubled\nc\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n(Pdb) (21, 42)\n(Pdb) " in done.stdout, "the prompt comes before the answer"
    assert re.search(r"work\(\)\n-> (breakpoint\(\)|return doubled)", done.stdout)
    assert "1 passed" in done.stdout


def test_a_breakpoint_in_a_task_needs_no_option(run_pytest):
    done = run_pytest(DEBUGGED, stdin="p secret, doubled\nc\np doubled\nc\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(Pdb) (21, 42)" in done.stdout


def test_a_debugger_can_step_through_a_task(run_pytest):
    program = DEBUGGED.replace("    doubled = 2", "    breakpoint()\n    doubled = 2", 1)
    program = program.replace("    breakpoint()\n    return", "    return")
    # From 3.13 on it stops at the line of the breakpoint, not at the next one.
    steps = "s\n" if sys.version_info < (3, 13) else "s\ns\n"
    stdin = f"p 'before', secret\n{steps}p 'after', doubled\nc\nc\n"
    done = run_pytest(program, "-s", stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "('before', 21)" in done.stdout
    assert "('after', 42)" in done.stdout


def test_a_failing_task_can_be_looked_at_afterwards(run_pytest):
    """`pytest --pdb` stops where the test failed."""
    program = DEBUGGED.replace("    breakpoint()\n", "").replace("== 42", "== 43")
    done = run_pytest(program, "--pdb", stdin="p ray.is_initialized()\nc\n")
    assert "Entering PDB" in done.stdout or "entering PDB" in done.stdout
    assert "assert 42 == 43" in done.stdout


def test_lines_that_tasks_run_are_seen_by_a_tracer():
    """What coverage is built on: `sys.settrace`, here by the tracer of the standard library."""

    @simulate(seeds=2)
    def program():
        assert ray.get([name_of.remote(x) for x in (1, 2)]) == ["odd", "even"]
        counter = Counter.remote()
        assert ray.get([counter.add.remote(2), counter.add.remote(3)]) == [2, 5]

    tracer = trace.Trace(count=True, trace=False)
    tracer.runfunc(program)
    counts = {line: n for (file, line), n in tracer.results().counts.items() if file == __file__}
    first = branch.__code__.co_firstlineno
    assert [counts[first + offset] for offset in (1, 2, 3)] == [4, 2, 2]
    add = Counter._cls.add.__code__.co_firstlineno
    assert counts[add + 1] == 4


def test_coverage_counts_lines_of_tasks(tmp_path):
    pytest.importorskip("coverage")
    program = tmp_path / "program.py"
    program.write_text(
        "import raysim as ray\n"
        "ray.init(backend='sim')\n"
        "@ray.remote\n"
        "def work(x):\n"
        "    if x:\n"
        "        return 1\n"
        "    return 2\n"
        "assert ray.get(work.remote(1)) == 1\n"
    )
    command = [sys.executable, "-m", "coverage"]
    subprocess.run([*command, "run", str(program)], cwd=tmp_path, check=True, timeout=120)
    shown = subprocess.run(
        [*command, "report", "-m", "--include=program.py"],
        cwd=tmp_path, check=True, timeout=120, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert re.search(r"program\.py +8 +1 +88% +7", shown), shown
