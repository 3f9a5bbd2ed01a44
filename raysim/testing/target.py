"""What a command line names as the target of a hunt, found. Never runs it.

Without a name: the campaign that raysim ships. `module:function` and `file.py[:function]`: a function without
arguments that uses the API; what it raises is a failure. One that `@simulate` marks runs as pytest runs it. A
scenario file: each seed runs it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from raysim.checks.finding import Finding
from raysim.faults.swarm import Profile, sample
from raysim.tape import Tape
from raysim.testing.campaign import CAMPAIGN
from raysim.testing.campaign.operations import Program
from raysim.testing.case import Target
from raysim.testing.catalogue import labels_of
from raysim.testing.loading import load_file

SIMULATION_OF: Final = "__raysim_simulation__"
"""The attribute of a test that `@simulate` marks: its `Simulation`."""


class TargetError(ValueError):
    """There is no such target."""


class FunctionTarget:
    """A plain function: runs on a cluster that is sampled, and judges itself."""

    def __init__(self, name: str, function: Callable[[], Any]) -> None:
        self.name = name
        self.module = function.__module__
        self.labels = labels_of(function)
        self._function = function

    def profile(self, tape: Tape) -> Profile:
        return sample(tape)

    def sample(self, tape: Tape) -> Program:
        return ()

    def run(self, program: Program, profile: Profile) -> list[Finding]:
        self._function()
        return []


def find_target(name: str, module: str = "") -> Target:
    """`module`: the name that a file's module had. Raises TargetError with what there is instead."""
    if name in ("", CAMPAIGN.name):
        return CAMPAIGN
    place, _, function = name.replace("::", ":").partition(":")  # As pytest names a test, too.
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise TargetError(f"there is no file {path}")
        return _function(name, load_file(path, module), function)
    if function:
        return _function(name, _imported(name, place), function)
    if place.endswith((".yaml", ".yml")):
        from raysim.testing.scenarios import ScenarioTarget

        return ScenarioTarget(name)
    raise TargetError(
        f"{name!r} is no target. Give module:function, file.py, file.py:function, a scenario.yaml, or nothing for "
        "raysim's own campaign"
    )


def _imported(name: str, module: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # As `python -m` does.
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise TargetError(f"{name}: module {module} cannot be imported: {error}") from error


def _function(name: str, module: Any, function: str) -> Target:
    if function:
        found = module
        for part in function.split(":"):
            found = getattr(found, part, None)
        if not callable(found):
            raise TargetError(f"{name}: there is no function {function!r}")
        return _target(name, found)
    marked = [key for key, value in vars(module).items() if hasattr(value, SIMULATION_OF)]
    if len(marked) == 1:
        return _target(f"{name}:{marked[0]}", getattr(module, marked[0]))
    if not marked:
        raise TargetError(
            f"{name} has no function marked with @raysim.testing.simulate; name one: {name}:test_it"
        )
    raise TargetError(
        f"{name} has several: name one of {', '.join(f'{name}:{key}' for key in marked)}"
    )


def _target(name: str, function: Callable[..., Any]) -> Target:
    simulation = getattr(function, SIMULATION_OF, None)
    needed = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        run_it = "pytest --raysim-seeds 10000" if simulation else "a function without arguments"
        raise TargetError(
            f"{name} takes {', '.join(needed)}, and only pytest gives fixtures and parameters; use {run_it} instead"
        )
    if simulation is None:
        return FunctionTarget(name, function)
    from raysim.testing.simulated_target import SimulatedTarget

    return SimulatedTarget(name, simulation)
