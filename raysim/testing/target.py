"""What a command line names as the target of a hunt, found. Never runs it.

Without a name: the campaign that raysim ships. `module:function` and `file.py[:function]`: a function without
arguments that uses the API; what it raises is a failure. A scenario file: each seed runs it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from raysim.checks.finding import Finding
from raysim.faults.swarm import Profile, Swarm
from raysim.tape import Tape
from raysim.testing.campaign import CAMPAIGN
from raysim.testing.campaign.operations import Program
from raysim.testing.case import Target

SWARM_OF: Final = "__raysim_swarm__"
"""The attribute of a function that says within which limits its clusters and faults are sampled."""


class TargetError(ValueError):
    """There is no such target."""


class FunctionTarget:
    """A user's test: runs on the cluster that was sampled, and judges itself."""

    def __init__(self, name: str, function: Callable[[], Any]) -> None:
        self.name = name
        self.swarm: Swarm = getattr(function, SWARM_OF, Swarm())
        self._function = getattr(function, "__wrapped__", function)

    def sample(self, tape: Tape) -> Program:
        return ()

    def run(self, program: Program, profile: Profile) -> list[Finding]:
        self._function()
        return []


def find_target(name: str) -> Target:
    """Raises TargetError with what there is instead."""
    if name in ("", CAMPAIGN.name):
        return CAMPAIGN
    place, _, function = name.rpartition(":") if ":" in name else (name, "", "")
    if place.endswith(".py"):
        return _function(name, _load(Path(place)), function)
    if function:
        try:
            return _function(name, importlib.import_module(place), function)
        except ImportError as error:
            raise TargetError(f"{name}: module {place} cannot be imported: {error}") from error
    if place.endswith((".yaml", ".yml")):
        from raysim.testing.scenarios import ScenarioTarget

        return ScenarioTarget(name)
    raise TargetError(
        f"{name!r} is no target. Give module:function, file.py, file.py:function, a scenario.yaml, or nothing for "
        "raysim's own campaign"
    )


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise TargetError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # Where pickle looks for what the file defines.
    spec.loader.exec_module(module)
    return module


def _function(name: str, module: Any, function: str) -> Target:
    if function:
        found = getattr(module, function, None)
        if not callable(found):
            raise TargetError(f"{name}: there is no function {function!r}")
        return FunctionTarget(name, found)
    marked = [key for key, value in vars(module).items() if hasattr(value, SWARM_OF)]
    if len(marked) == 1:
        return FunctionTarget(f"{name}:{marked[0]}", getattr(module, marked[0]))
    if not marked:
        raise TargetError(
            f"{name} has no function marked with @raysim.testing.simulate; name one: {name}:test_it"
        )
    raise TargetError(
        f"{name} has several: name one of {', '.join(f'{name}:{key}' for key in marked)}"
    )
