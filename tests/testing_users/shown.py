"""The commands that docs/testing.md shows, and whether they print what it shows. Never a test itself."""

import re
import subprocess
import sys

_TIMES = re.compile(r"in [\d.]+ s \(\d+/s\)")
_FOLDER = re.compile(r"\S*(?=examples/testing/)")


def shown_commands(repository):
    """By command, the lines below it."""
    text = (repository / "docs" / "testing.md").read_text()
    shown: dict[str, list[str]] = {}
    for block in re.findall(r"^```\n(\$ raysim .*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                lines = shown[line.removeprefix("$ ")] = []
            else:
                lines.append(line)
    return shown


def run_command(folder, command):
    """As a user would; to shrink may take longer than a minute where others keep the machine busy."""
    words = command.split()[1:]
    more = ["--time", "10m"] if words[0] == "shrink" else []
    return subprocess.run(
        [sys.executable, "-m", "raysim", *words, *more],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout.splitlines()


def assert_shown(lines, printed):
    """A line that ends in `...` goes on, and after a line that is nothing else come others."""
    lines, printed = ([_plain(line) for line in some] for some in (lines, printed))
    for number, line in enumerate(lines):
        if line == "...":
            return
        assert number < len(printed), f"not printed: {line}"
        begin = line.removesuffix("...").rstrip()
        there = printed[number]
        assert there == line or (begin != line and there.startswith(begin)), (
            f"shown: {line}\nprinted: {there}"
        )
    assert printed[len(lines) :] == [], "printed, and not shown"


def _plain(line):
    return _FOLDER.sub("", _TIMES.sub("in S s", line)).rstrip()
