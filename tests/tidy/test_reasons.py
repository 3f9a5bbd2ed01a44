"""What a checker is told to overlook, and what is caught whatever it is, says why."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

OVERLOOKED = re.compile(r"# (?:type: ignore|noqa)\b(?:\[[\w, -]+\]|: ?[A-Z]+\d+(?:, ?[A-Z]+\d+)*)?")
BROAD = {"Exception", "BaseException"}


@pytest.fixture(scope="session")
def modules(repository: Path) -> dict[str, str]:
    """Every module's text, by its path."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    files = {name: repository / name for name in done.stdout.split("\0") if name}
    own = str(Path(__file__).relative_to(repository))
    return {
        name: file.read_text("utf-8")
        for name, file in files.items()
        if file.is_file() and name != own
    }


def unexplained(text: str) -> Iterator[int]:
    """Lines on which a checker is told to overlook something, and nothing says why."""
    for number, line in enumerate(text.splitlines(), 1):
        _, *behind = OVERLOOKED.split(line)
        if behind and not re.search(r"\w", "".join(behind)):
            yield number


def swallowed(text: str) -> Iterator[int]:
    """Lines of handlers of any exception that neither raise nor say why they are there."""
    if not any(f"except {name}" in text for name in BROAD):
        return
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node):
            said = any("#" in line for line in lines[node.lineno - 1 : node.body[0].lineno])
            if not said and not any(isinstance(one, ast.Raise) for one in ast.walk(node)):
                yield node.lineno


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.type, ast.Name) and handler.type.id in BROAD


def test_what_a_checker_overlooks_has_a_reason(modules: dict[str, str]) -> None:
    found = [f"{name}:{line}" for name, text in modules.items() for line in unexplained(text)]
    assert not found, f"say why, in a few words behind it: {found}"


def test_a_handler_of_any_exception_raises_or_has_a_reason(modules: dict[str, str]) -> None:
    found = [f"{name}:{line}" for name, text in modules.items() for line in swallowed(text)]
    assert not found, f"raise, or say why whatever it is goes no further: {found}"


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("x = f()  # type: ignore[misc]", True),
        ("x = f()  # type: ignore[misc, arg-type]", True),
        ("x = f()  # noqa: S310", True),
        ("x = f()  # noqa: S310, B008", True),
        ("x = f()  # type: ignore[misc]  # noqa: S310", True),
        ("x = f()  # noqa: S310  (http or https: see client)", False),
        ("x = f()  # type: ignore[misc]  # cloudpickle ships no types.", False),
        ("x = f()  # ignored", False),
    ],
)
def test_a_bare_suppression_is_told_from_one_with_its_reason(line: str, bare: bool) -> None:
    assert list(unexplained(line)) == ([1] if bare else [])


@pytest.mark.parametrize(
    ("handler", "bare"),
    [
        ("except Exception:\n    pass", True),
        ("except BaseException as error:\n    print(error)", True),
        ("except Exception:  # whatever a user's code raises\n    pass", False),
        ("except Exception:\n    # Whatever a user's code raises.\n    pass", False),
        ("except Exception:\n    f()\n    raise", False),
        ("except OSError:\n    pass", False),
    ],
)
def test_a_swallowed_exception_is_told_from_one_that_is_raised(handler: str, bare: bool) -> None:
    assert list(swallowed(f"try:\n    f()\n{handler}")) == ([3] if bare else [])
