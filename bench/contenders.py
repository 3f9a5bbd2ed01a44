"""Who takes part: by which interpreter, and what it needs there. Never starts one: see `bench.turns`."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.lines import OURS

EVERYBODY_NEEDS = ("pytest-benchmark", "numpy", "psutil")


class Participant(NamedTuple):
    name: str
    factory: str
    """module:class of its `Contender`."""
    package: str | None = None
    """What its interpreter has to have, beside what everybody needs. None: nothing."""
    foreign: bool = False
    """It may have an interpreter of its own."""
    groups: tuple[str, ...] | None = None
    """Of the lines that it does some of. None: of all."""

    def does(self, group: str) -> bool:
        return self.groups is None or group in self.groups


_OF_POOLS = ("tasks", "session")


PARTICIPANTS = (
    Participant(OURS, "ray_api:Cluster", "raysim-core"),
    Participant("ray", "ray_api:Ray", "ray", foreign=True),
    Participant("ProcessPoolExecutor", "process_pools:StandardExecutor", groups=_OF_POOLS),
    Participant("multiprocessing.Pool", "process_pools:StandardPool", groups=_OF_POOLS),
    Participant("loky", "process_pools:Loky", "loky", foreign=True, groups=_OF_POOLS),
    Participant(
        "dask", "dask_client:Dask", "distributed", True, ("tasks", "actors", "objects", "session")
    ),
    Participant("memcpy", "memory_copy:MemoryCopy", groups=("objects",)),
)
BY_NAME = {participant.name: participant for participant in PARTICIPANTS}


class Ready(NamedTuple):
    """One that can take part."""

    participant: Participant
    python: str
    version: str
    """Of its package; that of Python where it has none."""


_ASK = """
import importlib.metadata, json, platform, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({"python": platform.python_version(), "versions": versions}))
"""


def find(
    names: Iterable[str], own: str, others: Iterable[str]
) -> tuple[list[Ready], dict[str, str]]:
    """Those that can take part, and why each of the rest cannot."""
    ready, left_out = [], {}
    others = [python for python in others if Path(python).exists()]
    for participant in (BY_NAME[name] for name in names):
        reasons = []
        for python in [*others, own] if participant.foreign else [own]:
            found = look(participant, python)
            if isinstance(found, Ready):
                ready.append(found)
                break
            reasons.append(found)
        else:
            left_out[participant.name] = "; ".join(reasons)
    return ready, left_out


def look(participant: Participant, python: str) -> Ready | str:
    """Whether this interpreter will do; if not, what it lacks."""
    package = participant.package
    needed = [*EVERYBODY_NEEDS, *([package] if package else [])]
    try:
        asked = subprocess.run([python, "-c", _ASK, *needed], capture_output=True, text=True)
    except OSError as error:
        return f"{python} does not run: {error}"
    if asked.returncode != 0:
        return f"{python} does not run: {asked.stderr.strip()}"
    told = json.loads(asked.stdout)
    versions: dict[str, str] = told["versions"]
    lacking = [name for name in needed if name not in versions]
    if lacking:
        return f"{python} lacks {', '.join(lacking)}"
    return Ready(participant, python, versions[package] if package else f"Python {told['python']}")
