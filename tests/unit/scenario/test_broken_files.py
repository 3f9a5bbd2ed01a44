"""Scenario files that people get wrong: each begins with what it must be told, which names a place and a remedy.

A line that ends in `...` is how the message begins.
"""

from pathlib import Path

import pytest

from raysim.cli.main import run_command

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))


def told(capfd, *args):
    code = run_command(list(args))
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return code, (printed.out + printed.err).splitlines()


def expected(file):
    lines = file.read_text("utf-8").splitlines()
    return [line[2:] for line in lines if line.startswith("# ")]


def test_there_are_enough_of_them():
    assert len(FILES) >= 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_mistake_is_told_with_its_place_and_what_to_do(file, monkeypatch, capfd):
    monkeypatch.chdir(BROKEN)
    wanted = expected(file)
    code, lines = told(capfd, "check", file.name)
    assert code == 2
    assert len(lines) == len(wanted), lines
    for line, want in zip(lines, wanted, strict=True):
        assert line == want or (want.endswith("...") and line.startswith(want[:-3]))


def test_running_one_says_the_same(monkeypatch, capfd):
    monkeypatch.chdir(BROKEN)
    assert told(capfd, "run", "many_mistakes.yaml") == (2, expected(BROKEN / "many_mistakes.yaml"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it.yaml:1:1: the file is empty"),
        (b"name: caf\xe9\n", "it.yaml:1:10: this is not UTF-8 text: byte 0xe9; save the file as UTF-8"),
        ("name: x".encode("utf-16"), "it.yaml:1:1: this is not UTF-8 text: byte 0xff; save the file as UTF-8"),
        (b"name: \x00\n", "it.yaml:1:7: this is not YAML: the character '\\x00' is not allowed"),
        (b"seed: 1\r\n\r\npolcy: x\r\nworkload: {kind: tasks, count: 1, duration: 1s}\r\n",
         "it.yaml:3:1: unknown key 'polcy'; did you mean policy?"),
    ],
)  # fmt: skip
def test_bytes_that_no_editor_shows_are_told(tmp_path, monkeypatch, capfd, content, said):
    monkeypatch.chdir(tmp_path)
    Path("it.yaml").write_bytes(content)
    assert told(capfd, "check", "it.yaml") == (2, [said])


def test_what_is_no_file_is_told(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("folder.yaml").mkdir()
    assert told(capfd, "check", "folder.yaml") == (
        2,
        ["folder.yaml: cannot be read: Is a directory"],
    )
    code, lines = told(capfd, "check", "folde.yaml")
    assert (code, lines) == (2, ["folde.yaml: there is no such file; did you mean folder.yaml?"])
