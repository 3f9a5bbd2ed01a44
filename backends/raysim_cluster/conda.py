"""Environments of conda, mamba or micromamba, whichever is there: found by name, or made. Never of pip or uv alone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

TOOLS: Final = ("conda", "mamba", "micromamba")

_HINTS: Final = ("CONDA_EXE", "MAMBA_EXE")
"""Variables that an installation sets: the program itself. Not on everybody's path."""


class CondaError(Exception):
    """The environment cannot be had; the text says why."""


def tool() -> str:
    """Raises CondaError."""
    home = os.environ.get("RAY_CONDA_HOME")
    given = [os.environ.get(name) for name in _HINTS]
    for one in [f"{home}/bin/conda" if home else None, *given, *map(shutil.which, TOOLS)]:
        if one and os.access(one, os.X_OK):
            return one
    raise CondaError(
        f"there is none of {', '.join(TOOLS)} on the path of the node. Install one of them, or use pip or uv"
    )


def prefix_of(name: str) -> str:
    """The folder of the environment with this name. Raises CondaError."""
    command = [tool(), "env", "list", "--json"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    if told.returncode:
        raise CondaError(f"{' '.join(command)} ended with status {told.returncode}: {told.stderr}")
    prefixes: list[str] = json.loads(told.stdout)["envs"]
    named = {Path(prefix).name: prefix for prefix in prefixes[1:]}
    if prefixes:
        named["base"] = prefixes[0]
    if name not in named:
        raise CondaError(
            f"there is no conda environment {name!r}; there are {', '.join(named) or 'none'}. Create it "
            "on every node, or give what it is to be made of"
        )
    return named[name]


def make(spec: Mapping[str, Any], prefix: Path, run: Callable[[Sequence[str]], None]) -> None:
    """An environment of its own for what the file of one says."""
    program = tool()
    file = prefix.with_suffix(".yaml")
    # JSON is YAML.
    file.write_text(json.dumps(_with_python(spec), indent=1))
    create = ["create", "--yes"] if Path(program).name == "micromamba" else ["env", "create"]
    run([program, *create, "--prefix", str(prefix), "--file", str(file)])


def _with_python(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The driver's Python besides: values of one cannot be read by another. As Ray does."""
    dependencies = [*(spec.get("dependencies") or []), "python={}.{}".format(*sys.version_info)]
    if "pip" not in dependencies:
        dependencies.append("pip")
    return {**spec, "dependencies": dependencies}
