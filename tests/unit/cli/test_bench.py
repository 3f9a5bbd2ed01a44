from pathlib import Path

import pytest

BAG = "workload: {kind: tasks, count: 20, duration: exponential(mean=1s)}\n"


@pytest.fixture(autouse=True)
def bag(raysim):
    Path("bag.yaml").write_text(BAG)


def test_a_table_is_printed_and_left(raysim):
    ended = raysim(
        *("bench", "policies", "bag.yaml", "--policy", "hybrid", "--policy", "power_of_d(d=3)"),
        *("--seeds", "5", "--measure", "makespan_s", "--out", "here"),
    )
    assert ended.code == 0, ended.err
    assert "## bag: makespan_s" in ended.out
    assert "| power_of_d(d=3) |" in ended.out
    assert "here/comparison.html" in ended.err
    assert Path("here/comparison.md").read_text() in ended.out + "\n"


def test_every_order_of_the_queue_goes_with_every_policy(raysim):
    ended = raysim(
        *("bench", "policies", "bag.yaml", "--policy", "hybrid", "--policy", "spread"),
        *("--queue", "fifo", "--queue", "sjf", "--seeds", "5", "--measure", "mean(task_wait)"),
    )
    assert ended.code == 0, ended.err
    compared = [line.split("|")[1].strip() for line in ended.out.splitlines() if " to " in line]
    assert compared == ["hybrid + fifo", "hybrid + sjf", "spread + fifo", "spread + sjf"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "hybrid"], "give two or more, each once"),
        (["--policy", "hybrid", "--policy", "hybrid"], "give two or more, each once"),
        ([], "give two or more, each once"),
        (["--policy", "hybrid", "--policy", "bestfit"], "did you mean best_fit?"),
        (["--queue", "sjf", "--queue", "esy"], "no queue order 'esy'; did you mean easy?"),
        (["--queue", "sjf", "--queue", "hybrid"], "it is a policy: give it as --policy"),
        (["--policy", "best_fit + sjf", "--queue", "easy"], "so does --queue; name it once"),
        (
            ["--policy", "best_fit+sjf", "--policy", "hybrid"],
            "write one of each as 'best_fit + sjf'",
        ),
        (
            ["--policy", "hybrid", "--policy", "spread", "--measure", "p95(task_wit)"],
            "did you mean task_wait?",
        ),
        (
            ["--policy", "hybrid", "--policy", "spread", "--measure", "failed == 0"],
            "is not a quantity",
        ),
        (["--policy", "hybrid", "--policy", "spread", "--measure", "3"], "is not a quantity"),
        (["--policy", "hybrid", "--policy", "spread", "--warm-up", "5"], "has no unit"),
        (["--policy", "hybrid", "--policy", "spread", "--out", "bag.yaml/x"], "cannot be written"),
        (["--policy", "hybrid", "--policy", "spread", "--seeds", "1"], "is not in the range"),
    ],
)
def test_bad_input_is_answered_with_what_was_meant(raysim, arguments, told):
    ended = raysim("bench", "policies", "bag.yaml", "--seeds", "5", *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert "Traceback" not in ended.err
