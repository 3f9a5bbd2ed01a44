"""A failure as one JSON file: everything that replays it, and what it was. Never runs it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec

import raysim
from raysim.checks.finding import Finding
from raysim.testing.case import Case, Verdict, case_from_json

FORMAT: Final = 1
_PACKAGES: Final = ("simpy", "greenlet", "msgspec", "cloudpickle")
"""What a run's events depend on besides Python and raysim."""


class BundleError(ValueError):
    """A file is no failure bundle."""


class Bundle(msgspec.Struct, frozen=True):
    """`target`: as the command line named it; `module`: the name that its file was loaded under, if it is a file."""

    target: str
    case: Case
    findings: list[Finding]
    digest: str
    versions: dict[str, str]
    module: str = ""

    @property
    def group(self) -> str:
        return self.findings[0].group()

    def write(self, path: Path) -> None:
        plain = {
            "format": FORMAT,
            "target": self.target,
            "module": self.module,
            "finding": str(self.findings[0]),
            "findings": msgspec.to_builtins(self.findings),
            **self.case.to_json(),
            "digest": self.digest,
            "versions": self.versions,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n")

    def describe(self) -> str:
        """For people: what broke, under which profile, by which program."""
        case = self.case
        lines = [f"seed {case.seed} of {self.target}", str(self.findings[0]), "", str(case.profile)]
        lines += ["", *(f"  {_shown(op)}" for op in msgspec.to_builtins(case.program))]
        return "\n".join(lines).rstrip()


def bundle_of(target: str, case: Case, verdict: Verdict, module: str = "") -> Bundle:
    return Bundle(target, case, verdict.findings, verdict.digest, versions(), module)


def versions() -> dict[str, str]:
    """Of everything that decides what a seed does."""
    found = {"python": platform.python_version(), "raysim": raysim.__version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found


def read_bundle(path: Path) -> Bundle:
    """Raises BundleError with what is wrong with the file."""
    try:
        plain: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        if plain["format"] != FORMAT:
            raise BundleError(f"{path} has format {plain['format']}; this raysim reads {FORMAT}")
        findings = msgspec.convert(plain["findings"], list[Finding])
        case = case_from_json(plain)
        return Bundle(
            plain["target"],
            case,
            findings,
            plain["digest"],
            plain["versions"],
            plain.get("module", ""),
        )
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except BundleError:
        raise
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BundleError(
            f"{path} is no failure: {error}. Give a file that `raysim hunt` leaves in failures/, or a test in .raysim/"
        ) from error


def _shown(op: dict[str, Any]) -> str:
    rest = ", ".join(f"{k}={v}" for k, v in op.items() if k not in ("number", "kind"))
    return f"{op['number']}: {op['kind']}({rest})"
