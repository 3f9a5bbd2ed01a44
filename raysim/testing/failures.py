"""A failing run of a test as a file, which `pytest --raysim-replay` reads. Never the run itself.

The files of `raysim hunt` can be read as well: they hold more.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec

import raysim
from raysim.faults.swarm import Profile, profile_from_json
from raysim.tape import Recording, Tape
from raysim.testing.simulation import Outcome

FOLDER: Final = Path(".raysim")
"""In the folder where the tests run. One file for each test and seed: a later failure replaces it."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What decides a run, and what it came to."""

    seed: int
    profile: dict[str, Any] | None = None
    """As `Profile.to_json` gives it; None: drawn from the seed."""
    recording: Recording | None = None
    """Draws that were edited, as `raysim shrink` leaves them; None: the seed's."""
    test: str = ""
    error: str = ""
    version: str = ""
    """Of raysim: another one may run it otherwise."""

    def of_profile(self) -> Profile | None:
        return None if self.profile is None else profile_from_json(self.profile)

    def tape(self) -> Tape | None:
        return None if self.recording is None else self.recording.tape()


def write_failure(test: str, outcome: Outcome) -> str:
    """The path of the file, as it may be given to pytest."""
    error = outcome.error
    failure = Failure(
        seed=outcome.seed,
        profile=outcome.profile.to_json(),
        test=test,
        error=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
        version=raysim.__version__,
    )
    FOLDER.mkdir(exist_ok=True)
    name = _UNSAFE.sub("-", test.rpartition("/")[2]).strip("-")
    path = FOLDER / f"{name}-{outcome.seed}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(failure), indent=2) + b"\n")
    return str(path)


def read_failure(path: Path) -> Failure:
    """Raises ValueError that says what is wrong with the file, or that there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Failure)
    except FileNotFoundError:
        raise ValueError(
            f"--raysim-replay {path}: there is no such file, and it is no seed"
        ) from None
    except msgspec.DecodeError as error:
        raise ValueError(f"--raysim-replay {path} is no failure of a test: {error}") from error
