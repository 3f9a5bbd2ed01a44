"""Writes docs/compatibility.md: raysim beside every public name of Ray Core. Never imports Ray.

    python tools/compatibility.py            # write it, print the share that is supported
    python tools/compatibility.py --check    # exit 1 if it is stale

Ray's names are those of ray_surface.json (see ray_surface.py), the reasons those of
ray_differences.toml. Whether raysim has a name is found by looking.
"""

import importlib
import inspect
import json
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tools.generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "compatibility.md"
SURFACE = ROOT / "tools" / "ray_surface.json"
DIFFERENCES = ROOT / "tools" / "ray_differences.toml"

sys.path.insert(0, str(ROOT))

WORDS = {
    "module": "names",
    "class": "members",
    "init": "arguments",
    "task options": "options",
    "actor options": "options",
    "method options": "options",
    "special methods": "special methods",
    "runtime_env": "fields",
}
NOT_YET = "not yet"
IGNORED = "accepted, and changes nothing a program can see"


class Status(StrEnum):
    SUPPORTED = "supported"
    DIFFERENT = "different"
    ABSENT = "absent"


@dataclass(frozen=True)
class Entry:
    """A name of Ray, and what raysim does about it."""

    name: str
    status: Status
    note: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    entries: list[Entry]

    def of(self, *statuses: Status) -> list[Entry]:
        return [entry for entry in self.entries if entry.status in statuses]


class StaleReasonError(Exception):
    """ray_differences.toml gives a reason for what is not so."""


# What raysim has


def found(path: str) -> Any:
    """raysim's object of Ray's dotted path; None if there is none.

    The longest module counts: `ray.util.placement_group` is a module, and in it a function.
    """
    parts = ["raysim", *path.split(".")[1:]]
    for length in range(len(parts), 0, -1):
        try:
            here: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            here = getattr(here, name, None)
        return here
    raise AssertionError("raysim cannot be imported")


def has_of_module(path: str) -> Callable[[str], str | None]:
    return lambda name: None if found(f"{path}.{name}") is not None else NOT_YET


def has_of_class(path: str) -> Callable[[str], str | None]:
    name = path.rpartition(".")[2]
    cls = found(path) or found(f"ray.{name}")
    return lambda member: None if hasattr(cls, member) else NOT_YET


def has_of_options(table: Mapping[str, Any]) -> Callable[[str], str | None]:
    def has(name: str) -> str | None:
        option = table.get(name)
        if option is None:
            return NOT_YET
        return None if option.only is None else f"{NOT_YET}: refused by name"

    return has


def has_of_init(name: str) -> str | None:
    from raysim.api.init_options import KNOWN, UNSUPPORTED
    from raysim.api.session import init

    if name in UNSUPPORTED:
        return f"{NOT_YET}: refused by name"
    is_known = name in inspect.signature(init).parameters or name in KNOWN
    return None if is_known else NOT_YET


def ignored() -> tuple[str, ...]:
    from raysim.api.init_options import IGNORED as names

    return names


def has_of_special_methods(name: str) -> str | None:
    from raysim.api.actors import ActorClass

    return None if hasattr(ActorClass(type("A", (), {}), {})._target.target, name) else NOT_YET


def has_of_runtime_env(name: str) -> str | None:
    """By `raysim.runtime_env.RuntimeEnv.known_fields`, which is Ray's own table of them."""
    fields = getattr(found("ray.runtime_env.RuntimeEnv"), "known_fields", ())
    return None if name in fields else NOT_YET


def looker(kind: str, path: str) -> Callable[[str], str | None]:
    """Says of a name: None where raysim has it, else why not."""
    from raysim.api import options

    match kind:
        case "module":
            return has_of_module(path)
        case "class":
            return has_of_class(path)
        case "task options":
            return has_of_options(options.TASK_OPTIONS)
        case "actor options":
            return has_of_options(options.ACTOR_OPTIONS)
        case "method options":
            return has_of_options(options.METHOD_OPTIONS)
        case "init":
            return has_of_init
        case "special methods":
            return has_of_special_methods
        case "runtime_env":
            return has_of_runtime_env
    raise AssertionError(f"no way to look for {kind}")


# Judging


def sections() -> list[Section]:
    """Raises StaleReasonError where a reason no longer holds."""
    surface = json.loads(SURFACE.read_text())
    given = tomllib.loads(DIFFERENCES.read_text())
    made = [judged(section, given) for section in surface["sections"]]
    titles = {section.title for section in made}
    for table in given.values():
        for title in table:
            if title not in titles:
                raise StaleReasonError(f"{DIFFERENCES.name}: there is no section {title!r}")
    return made


def judged(section: Mapping[str, Any], given: Mapping[str, Any]) -> Section:
    title = f"{section['path']}: {WORDS[section['kind']]}"
    absent: dict[str, str] = given.get("absent", {}).get(title, {})
    different: dict[str, str] = given.get("different", {}).get(title, {})
    lacks = looker(section["kind"], section["path"])
    for name in {*absent, *different} - {*section["names"], "*"}:
        raise StaleReasonError(f"{DIFFERENCES.name}: Ray has no {name!r} in {title!r}")
    entries = []
    for name in section["names"]:
        why = lacks(name)
        if why is None and name in absent:
            raise StaleReasonError(f"{DIFFERENCES.name}: {name!r} of {title!r} is not absent")
        if why is not None:
            note = absent.get(name) or absent.get("*") or why
            entries.append(Entry(name, Status.ABSENT, note))
        elif name in different:
            entries.append(Entry(name, Status.DIFFERENT, different[name]))
        elif section["kind"] == "init" and name in ignored():
            entries.append(Entry(name, Status.DIFFERENT, IGNORED))
        else:
            entries.append(Entry(name, Status.SUPPORTED))
    return Section(title, entries)


def share(made: list[Section]) -> tuple[int, int]:
    """How many names work (as in Ray, or differently), of how many."""
    entries = [entry for section in made for entry in section.entries]
    return sum(entry.status is not Status.ABSENT for entry in entries), len(entries)


# Writing


def document() -> str:
    made = sections()
    version = json.loads(SURFACE.read_text())["version"]
    return "\n".join([*_head(made, version), *(line for s in made for line in _lines(s))])


def _head(made: list[Section], version: str) -> Iterator[str]:
    works, total = share(made)
    differ = sum(len(section.of(Status.DIFFERENT)) for section in made)
    yield "# Compatibility with Ray"
    yield ""
    yield "<!-- Written by tools/compatibility.py; reasons are in tools/ray_differences.toml. -->"
    yield ""
    yield (
        f"Every public name of Ray Core {version}, found by introspection, and what raysim does about"
        " it on its own backends (`sim`, `cluster`)."
    )
    yield ""
    yield (
        f"**{100 * works / total:.1f} % supported**: {works} of {total} names, of which {differ} "
        "behave differently in the way that is told here."
    )
    yield ""
    yield "| section | names | supported | different | absent |"
    yield "|---|---:|---:|---:|---:|"
    for section in made:
        counts = " | ".join(str(len(section.of(status))) for status in Status)
        yield f"| {section.title} | {len(section.entries)} | {counts} |"
    yield ""


def _lines(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield ""
    supported = section.of(Status.SUPPORTED)
    if supported:
        yield "Supported: " + ", ".join(f"`{entry.name}`" for entry in supported) + "."
        yield ""
    others = section.of(Status.DIFFERENT, Status.ABSENT)
    if others:
        yield "| name | | |"
        yield "|---|---|---|"
        for entry in others:
            yield f"| `{entry.name}` | {entry.status} | {entry.note} |"
        yield ""


def main(arguments: list[str]) -> int:
    works, total = share(sections())
    print(f"{100 * works / total:.1f} % supported: {works} of {total} names")
    return write_or_check(DOCUMENT, document(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
