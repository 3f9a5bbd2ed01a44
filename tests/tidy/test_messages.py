"""Every message says what its loss means, and some role handles it."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import raysim.protocol.messages as package
from raysim.protocol.messages import MESSAGES, Message

BY_NAME = sorted(MESSAGES, key=lambda kind: kind.__name__)


def defined() -> set[type[Message]]:
    """Those that travel: the classes nothing else derives from."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    known: set[type[Message]] = set()
    waiting: list[type[Message]] = [Message]
    while waiting:
        kind = waiting.pop()
        below = kind.__subclasses__()
        waiting.extend(below)
        if not below and kind.__module__.startswith(package.__name__):
            known.add(kind)
    return known


def handled(source: str) -> Iterator[str]:
    """The names that a module receives: keys of its tables, what its handlers take.

    Building a message, `Ping(...)`, is sending it and does not count.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Dict(keys=keys):
                yield from (name for key in keys if key for name in names(key))
            case ast.MatchClass(cls=kind):
                yield from names(kind)
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                yield from (name for part in ast.walk(kinds) for name in names(part))
            case ast.arg(annotation=ast.expr() as annotation):
                yield from (name for part in ast.walk(annotation) for name in names(part))
            case ast.FunctionDef(decorator_list=decorators):
                calls = [call for call in decorators if isinstance(call, ast.Call)]
                yield from (name for call in calls for arg in call.args for name in names(arg))


def names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name


@pytest.fixture(scope="module")
def received(repository: Path) -> set[str]:
    protocol = repository / "raysim/protocol"
    roles = [file for file in protocol.rglob("*.py") if protocol / "messages" not in file.parents]
    return {name for file in roles for name in handled(file.read_text("utf-8"))}


def test_every_message_is_in_the_list_that_connections_decode() -> None:
    assert set(MESSAGES) == defined()


@pytest.mark.parametrize("kind", BY_NAME, ids=lambda kind: kind.__name__)
def test_a_message_says_what_its_loss_means(kind: type[Message]) -> None:
    text = kind.__dict__.get("__doc__") or ""
    assert "Lost:" in text, f"{kind.__module__}.{kind.__name__} does not say what its loss means"


@pytest.mark.parametrize("kind", BY_NAME, ids=lambda kind: kind.__name__)
def test_a_message_is_handled_by_a_role(kind: type[Message], received: set[str]) -> None:
    assert kind.__name__ in received, f"no role handles {kind.__name__}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("TABLE = {Ping: on_ping}", True),
        ("TABLE = {messages.Ping: on_ping}", True),
        ("def on_ping(self, sender: Address, ping: Ping) -> None: ...", True),
        ("match message:\n    case Ping(id=1): ...", True),
        ("@handles(Ping)\ndef on_ping(self, m): ...", True),
        ("host.send(Ping(1))", False),
        ("from messages import Ping", False),
    ],
)
def test_receiving_is_told_from_sending(source: str, found: bool) -> None:
    assert ("Ping" in set(handled(source))) is found
