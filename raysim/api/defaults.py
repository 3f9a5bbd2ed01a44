"""What the command line fixed for the program that it runs. Never guesses: `init_options` fills gaps.

`raysim run app.py --backend sim --nodes 4 --cpus 8` sets these before the program begins. What is
set here was said by the person at the terminal, and wins over what the program's `init` says.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from raysim.backend import NodeOptions
from raysim.journal import Journal


class Defaults(msgspec.Struct):
    """Process-wide; None (or empty) leaves the choice to the program."""

    backend: str | None = None
    nodes: list[NodeOptions] | None = None
    """The head first."""
    seed: int | None = None
    policy: str | None = None
    """Where tasks go: a name of `raysim.policies`."""
    queue: str | None = None
    """Whose turn it is: a name of `raysim.policies.orders`."""
    eviction: str | None = None
    """Which object leaves a full store first: a name of `raysim.policies.eviction`."""
    world: Mapping[str, Any] = {}
    """Options that only one world has (`network`, `faults`), added to the program's."""
    journal: Journal | None = None
    entrypoint: str = ""
    """The command, as it would be typed."""
    joined: str = ""
    """The address of the cluster that the program's `init` joined: what runs there is not written down here."""
    started: bool = False
    """A world is there for the program already: its first `init` finds it, and is no second one."""


defaults = Defaults()


def set_defaults(new: Defaults) -> None:
    """For the command line, before the program runs."""
    for name in Defaults.__struct_fields__:
        setattr(defaults, name, getattr(new, name))
