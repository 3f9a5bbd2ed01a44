"""Make the project's virtual environment and install it there. Never touches another one.

With uv where it is installed, else with venv and pip. Both read the user's own configuration; no
package index is named here.

    set_up_venv.py .venv --extras sim,cluster     install raysim, editable, with these extras
    set_up_venv.py --newest constraints.txt       write the newest versions of everything
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

Command = list[str | Path]

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
HEADER = (
    "# The versions that raysim is tested with, for every extra. Written by `make constraints`.\n"
)
NO_PIP = """\
{python} can make no virtual environment with pip in it: it has neither ensurepip nor pip.
Install one of them (Debian, Ubuntu: apt install python3-venv), or uv, and run make again."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Set up raysim's virtual environment.")
    parser.add_argument("venv", nargs="?", type=Path)
    parser.add_argument("--extras", default="dev")
    parser.add_argument("--newest", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        if options.newest:
            write_newest(options.newest)
        elif options.venv:
            set_up(options.venv, options.extras, CONSTRAINTS)
        else:
            parser.error("name the virtual environment, or a file with --newest")
    except subprocess.CalledProcessError as failure:
        command = " ".join(map(str, failure.cmd))
        sys.exit(f"Set-up failed (status {failure.returncode}): {command}")


def set_up(venv: Path, extras: str, constraints: Path | None) -> None:
    """Install raysim with `extras` into `venv`, made anew when it is of another Python."""
    uv = shutil.which("uv")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    how = "uv" if uv else "pip"
    print(f"Setting up {venv} (Python {version}, {how}): {extras}. A minute or so, once.")
    if venv.exists() and version_of(venv) != version:
        shutil.rmtree(venv)
    what = ["--editable", f"{ROOT}[{extras}]"]
    if constraints:
        what += ["--constraint", str(constraints)]
    if uv and install_with_uv(uv, venv, what):
        return
    install_with_pip(venv, what)


def version_of(venv: Path) -> str | None:
    """The Python version of a virtual environment, None where it does not run."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python_of(venv), "-c", ask], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def python_of(venv: Path) -> Path:
    return venv.absolute() / "bin" / "python"


def install_with_uv(uv: str, venv: Path, what: Sequence[str]) -> bool:
    """False where uv could not: it does not read pip's configuration, so that pip may still."""
    try:
        if not venv.exists():
            run(uv, "venv", "--quiet", "--python", sys.executable, venv)
        run(uv, "pip", "install", "--quiet", "--python", python_of(venv), *what)
    except subprocess.CalledProcessError as failure:
        print(f"uv ended with status {failure.returncode}; trying pip.", file=sys.stderr)
        return False
    return True


def install_with_pip(venv: Path, what: Sequence[str]) -> None:
    pip: Command = [python_of(venv), "-m", "pip"]
    if importlib.util.find_spec("ensurepip"):
        if not has_pip(venv):
            run(sys.executable, "-m", "venv", venv)
    elif importlib.util.find_spec("pip"):
        # Debian parts ensurepip from Python; its pip can install into another environment.
        if not venv.exists():
            run(sys.executable, "-m", "venv", "--without-pip", venv)
        pip = [sys.executable, "-m", "pip", "--python", python_of(venv)]
    else:
        sys.exit(NO_PIP.format(python=sys.executable))
    run(*pip, "install", "--quiet", "--disable-pip-version-check", *what)


def has_pip(venv: Path) -> bool:
    if not python_of(venv).exists():
        return False
    command: Command = [python_of(venv), "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True).returncode == 0


def write_newest(file: Path) -> None:
    """Resolve everything anew, without constraints, and keep what came out."""
    with tempfile.TemporaryDirectory(prefix="raysim-newest-") as scratch:
        venv = Path(scratch) / "venv"
        set_up(venv, "dev,bench", None)
        listing: Command = [python_of(venv), "-m", "pip", "freeze", "--exclude-editable"]
        if not has_pip(venv):
            listing = ["uv", "pip", "freeze", "--exclude-editable", "--python", python_of(venv)]
        frozen = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    file.write_text(HEADER + "".join(sorted(frozen.splitlines(keepends=True), key=str.lower)))
    print(f"Wrote {file}")


def run(*command: str | Path) -> None:
    # Without it a build of ours would land in whatever environment happens to be active.
    surroundings = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    subprocess.run(command, check=True, env=surroundings)


if __name__ == "__main__":
    main()
