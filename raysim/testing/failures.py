"""A failing run of a test as a file, which pytest and the commands of `raysim hunt` read. Never the run itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from raysim.testing.bundle import Bundle, bundle_of
from raysim.testing.case import Case
from raysim.testing.simulated_target import verdict_of
from raysim.testing.simulation import Outcome, Simulation

FOLDER: Final = Path(".raysim")
"""In the folder where the tests run. One file for each test and seed: a later failure replaces it."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def write_failure(test: str, simulation: Simulation, outcome: Outcome) -> Path:
    """Where it is. `test`: as pytest names it. The outcome's journal has a digest."""
    case = Case(seed=outcome.seed, profile=outcome.profile, recording=outcome.recording)
    module = simulation.function.__module__
    bundle: Bundle = bundle_of(_target(simulation), case, verdict_of(outcome), module)
    name = _UNSAFE.sub("-", test.rpartition("/")[2]).strip("-")
    path = FOLDER / f"{name}-{outcome.seed}.json"
    bundle.write(path)
    return path


def _target(simulation: Simulation) -> str:
    """As the command line of a hunt names it, here."""
    code = simulation.function.__code__
    file = Path(code.co_filename)
    here = Path.cwd()
    if file.is_relative_to(here):
        file = file.relative_to(here)
    return f"{file}:{simulation.function.__qualname__.replace('.', ':')}"
