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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "hybrid"], "give two or more, each once"),
        (["--policy", "hybrid", "--policy", "hybrid"], "give two or more, each once"),
        (["--policy", "hybrid", "--policy", "bestfit"], "did you mean best_fit?"),
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
