"""What docs/testing.md shows of the commands of a hunt is what they print."""

import re

import pytest

from tests.testing_users.shown import assert_shown, run_command, shown_commands

IMPORTS = "import time\n\nimport raysim as ray\n\n\n"
"""Of the document's programs, which it shows without."""


def test_what_is_shown_of_a_hunt_is_what_it_prints(repository, tmp_path):
    text = (repository / "docs" / "testing.md").read_text()
    (program,) = re.findall(
        r"^```python\n(@ray.remote[^`]*def test_readings.*?)^```", text, re.M | re.S
    )
    (tmp_path / "readings.py").write_text(IMPORTS + program)
    shown = {
        command: lines
        for command, lines in shown_commands(repository).items()
        if ".raysim/" not in command
    }
    assert [command.split()[1] for command in shown] == ["hunt", "shrink", "why", "shrink", "diff"]
    for command, lines in shown.items():
        assert_shown(lines, run_command(tmp_path, command))


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (["a"], ["b"]),
        (["a"], ["a", "b"]),
        (["a", "b"], ["a"]),
        (["ab ..."], ["ac d"]),
        (["b", "..."], ["a", "b"]),
    ],
)
def test_what_is_shown_and_not_printed_is_noticed(lines, printed):
    with pytest.raises(AssertionError):
        assert_shown(lines, printed)


def test_lines_may_be_shown_in_part():
    assert_shown(["12 in 2.0 s (6/s)", "a ...", "..."], ["12 in 3.1 s (4/s)", "a b", "c", "d"])
