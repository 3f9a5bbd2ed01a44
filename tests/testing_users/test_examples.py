"""The examples of docs/testing.md: what is broken is found, and what is mended passes."""

import os
import re
import subprocess
import sys

import pytest

from tests.testing_users.shown import assert_shown, run_command, shown_commands

EXAMPLES = [
    ("test_bank.py", "careless_tellers", "careful_tellers"),
    ("test_processor.py", "in_two_steps", "in_one_transaction"),
    ("test_parameter_server.py", "waits_for_the_server", "replaces_the_lost"),
]


def run_example(repository, tmp_path, name, only, *options):
    """As the command in its docstring, with fewer seeds where options say so."""
    test = repository / "examples" / "testing" / name
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "raysim.testing.plugin", "-p", "no:cacheprovider",
         "-c", os.devnull, "--rootdir", tmp_path, "-k", only, *options, str(test)],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "broken", "mended"), EXAMPLES)
def test_what_is_broken_is_found_and_replays(repository, tmp_path, name, broken, mended):
    found = run_example(repository, tmp_path, name, broken)
    assert found.returncode == 1, found.stdout
    assert re.search(r"E +raysim: it fails with seed \d+", found.stdout)
    _assert_documented(repository, name, found.stdout)
    what = re.search(r"E +pytest .* --raysim-replay (\S+)", found.stdout)[1]
    again = run_example(repository, tmp_path, name, broken, "--raysim-replay", what)
    assert again.returncode == 1, again.stdout
    assert _errors(again) == _errors(found)
    replayed = run_raysim(tmp_path, "replay", what)
    assert "It fails again, event for event:" in replayed.stdout, replayed.stdout
    assert replayed.returncode == 1
    for command, lines in shown_commands(repository).items():
        if f".raysim/{name}-" in command:
            assert_shown(lines, run_command(tmp_path, command))


def run_raysim(folder, *arguments):
    command = [sys.executable, "-m", "raysim", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)


def _assert_documented(repository, name, shown):
    """The document shows, of what pytest prints, some lines in their order."""
    text = (repository / "docs" / "testing.md").read_text()
    block = text.partition(f"$ pytest examples/testing/{name}\n")[2].partition("```")[0]
    told = [line.rstrip() for line in block.splitlines() if line.startswith("E")]
    assert len(told) > 10
    printed = iter(re.sub(r"\S*(?=examples/testing/)", "", shown).splitlines())
    for line in told:
        assert any(line == one.rstrip() for one in printed), f"not printed, or not there: {line}"


def _errors(done):
    """The first lines of what pytest shows of errors, without what raysim adds."""
    lines = re.findall(r"^E  .*", done.stdout, re.MULTILINE)
    first = next(i for i, line in enumerate(lines) if not line.removeprefix("E").strip())
    return lines[: max(first, 1)]


@pytest.mark.parametrize(("name", "broken", "mended"), EXAMPLES)
def test_what_is_mended_passes(repository, tmp_path, name, broken, mended):
    """With `--raysim-seeds 1000` as well: too long for a suite."""
    passed = run_example(repository, tmp_path, name, mended, "--raysim-seeds", "50")
    assert passed.returncode == 0, passed.stdout
    assert "1 passed" in passed.stdout
