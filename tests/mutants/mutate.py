"""Takes one safeguard out of a class of the protocol, and puts it back. Never touches a file."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Mutant(NamedTuple):
    """`place`: module:Class.method, below raysim.protocol. `old` is in its source once, and becomes `new`."""

    name: str
    place: str
    old: str
    new: str
    why: str
    """What the safeguard is for; the thread of Ray's where one tells of it."""


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Raises AssertionError where the safeguard is not where it was: the mutant has to be written anew."""
    module_name, _, path = mutant.place.partition(":")
    class_name, _, method_name = path.partition(".")
    module = importlib.import_module(f"raysim.protocol.{module_name}")
    cls = getattr(module, class_name)
    original = cls.__dict__[method_name]
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(mutant.old) == 1, f"{mutant.name}: {mutant.old!r} is not once in\n{source}"
    names: dict[str, object] = {}
    exec(  # The source is this repository's own.
        compile(source.replace(mutant.old, mutant.new), f"<mutant {mutant.name}>", "exec"),
        module.__dict__,
        names,
    )
    setattr(cls, method_name, names[method_name])
    try:
        yield
    finally:
        setattr(cls, method_name, original)
