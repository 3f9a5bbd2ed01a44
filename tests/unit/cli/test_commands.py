"""What holds of every command: an example in its help, the nearest right word, exit codes that are told."""

from collections.abc import Iterator

import click
import pytest

from raysim.cli.main import cli, run_command


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = sorted(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_help_of_a_command_has_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*path, "--help"]) == 0
    examples = [line.strip() for line in capsys.readouterr().out.splitlines()]
    begin = f"raysim {' '.join(path)}"
    assert [line for line in examples if line == begin or line.startswith(f"{begin} ")]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_wrong_option_is_answered_with_the_nearest(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` is one of every command."""
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    long = [o for p in command.params for o in p.opts if o.startswith("--") and len(o) > 5]
    for right in long[:1] or ["--help"]:
        wrong = right + right[-1]
        assert run_command([*path, wrong]) == 2
        said = capsys.readouterr().err
        assert f"No such option '{wrong}'" in said
        assert right in said.partition("Did you mean")[2]


@pytest.mark.parametrize(
    ("wrong", "right"), [(["lst"], "list"), (["statsu"], "status"), (["job", "sumbit"], "submit")]
)
def test_a_wrong_name_of_a_command_is_answered_with_the_nearest(
    wrong: list[str], right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(wrong) == 2
    assert f"Did you mean {right}?" in capsys.readouterr().err


def test_exit_codes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Exit codes: 0 well; 1 it went wrong" in said
    assert "2 bad input; 130 Ctrl-C." in said
