"""The scenarios in docs/scenarios.md: each is right, runs, and holds what it expects."""

import re

import pytest

WRITTEN = re.compile(r"<!-- file: (?P<name>\S+) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture
def written(raysim, tmp_path, repository):
    """Every file that the document shows, in the working directory."""
    text = (repository / "docs" / "scenarios.md").read_text("utf-8")
    shown = {match["name"]: match["text"] for match in WRITTEN.finditer(text)}
    for name, content in shown.items():
        (tmp_path / name).write_text(content)
    return shown


def test_every_file_that_is_shown_has_a_name(written, repository):
    text = (repository / "docs" / "scenarios.md").read_text("utf-8")
    assert text.count("```yaml") + text.count("```csv") == len(written)


def test_every_scenario_is_right_and_holds_what_it_expects(written, raysim):
    scenarios = [name for name in written if name.endswith(".yaml")]
    assert len(scenarios) >= 5
    checked = raysim("check", *scenarios)
    assert (checked.code, checked.out) == (0, f"{len(scenarios)} checked, no mistakes found.\n")
    for name in scenarios:
        ended = raysim("run", name, "--no-out")
        assert ended.code == 0, ended.out + ended.err
