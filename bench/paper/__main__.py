"""`make paper`: runs the parts and prints published against measured. Never a part itself.

Each part is a module `part_*.py` with a docstring whose first line is its title, and `rows(data)`.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from bench import paper
from bench.paper.row import Row

PREFIX = "part_"

DATA = Path(__file__).parents[3] / "shared" / "data"
"""Beside the checkout, as the tests have it; never part of it (licences differ)."""

HEAD = "| figure | published | measured | must be within | | |\n|---|---|---|---|---|---|"


class Part(Protocol):
    """A module."""

    __doc__: str

    def rows(self, data: Path) -> Iterator[Row]:
        """Each as soon as it is measured. `data` is the folder of the traces that it reads.

        Raises FileNotFoundError where the part's data is not there.
        """


def names() -> list[str]:
    found = (one.name for one in pkgutil.iter_modules(paper.__path__))
    return sorted(name.removeprefix(PREFIX) for name in found if name.startswith(PREFIX))


def _part(name: str) -> Part:
    return cast(Part, importlib.import_module(f"{paper.__name__}.{PREFIX}{name}"))


def show(row: Row) -> str:
    verdict = "pass" if row.passed else "**FAIL**"
    bounds = f"{row.low:.5g} to {row.high:.5g}"
    return f"| {row.figure} | {row.published:.5g} | {row.measured:.5g} | {bounds} | {verdict} | {row.note} |"


def run(name: str, data: Path) -> bool:
    """Whether all of it passed. Prints each row when it is there."""
    part = _part(name)
    print(f"\n## {part.__doc__.splitlines()[0]}\n\n{HEAD}", flush=True)
    started = time.monotonic()
    passed = []
    try:
        for row in part.rows(data):
            print(show(row), flush=True)
            passed.append(row.passed)
    except FileNotFoundError as error:
        print(f"\nNot run: {error.filename} is not there. Say where the traces are by --data.")
        return False
    print(f"\n{sum(passed)} of {len(passed)} pass, {time.monotonic() - started:.0f} s", flush=True)
    return all(passed)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make paper", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(names())}")
    parser.add_argument("--data", type=Path, default=DATA, help=f"the traces (default: {DATA})")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.parts if name not in names()]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: choose of {', '.join(names())}")
    passed = [run(name, asked.data) for name in asked.parts or names()]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
