"""Whether a version in constraints.txt has a known vulnerability, as OSV's database says. Never what would mend it.

    audit.py                    exit code 1, and a line for each, where there are any

Where the database cannot be reached that is said, and is no failure: without a network one can still work. One request
needs no library: pip-audit, which asks the same database, would bring some 25 packages with it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT: Final = Path(__file__).resolve().parent.parent
DATABASE: Final = "https://api.osv.dev/v1/querybatch"
"""https://google.github.io/osv.dev/post-v1-querybatch: at most 1,000 queries at once."""

PATIENCE_S: Final = 10.0

ACCEPTED: Final[Mapping[str, str]] = {}
"""Ids of vulnerabilities that do not concern raysim, and why not."""


class UnreachableError(Exception):
    """The database does not answer."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Look the pinned versions up in OSV's database.")
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    parser.add_argument("--database", default=DATABASE, metavar="URL")
    options = parser.parse_args(arguments)
    pinned = versions(options.constraints.read_text())
    try:
        found = vulnerabilities(pinned, options.database)
    except UnreachableError as error:
        print(f"Dependencies are not audited: {options.database} does not answer ({error}).")
        return 0
    for name, ids in found.items():
        where = ", ".join(f"https://osv.dev/vulnerability/{one}" for one in ids)
        print(f"{name} {pinned[name]} is vulnerable: {where}", file=sys.stderr)
    if found:
        print("Take newer versions: make constraints", file=sys.stderr)
        return 1
    print(f"No known vulnerability in {len(pinned)} dependencies.")
    return 0


def versions(constraints: str) -> dict[str, str]:
    """Of each package. Raises ValueError for a line that pins nothing."""
    pinned = {}
    for line in constraints.splitlines():
        what = line.partition("#")[0].strip()
        if not what:
            continue
        matched = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)(?:\s*;.*)?", what)
        if matched is None:
            raise ValueError(f"{line!r} is no pinned version, such as click==8.1.7")
        pinned[matched[1]] = matched[2]
    return pinned


def vulnerabilities(pinned: Mapping[str, str], database: str) -> dict[str, list[str]]:
    """Ids by package. Raises UnreachableError."""
    queries = [
        {"package": {"ecosystem": "PyPI", "name": name}, "version": version}
        for name, version in pinned.items()
    ]
    results = _ask(database, {"queries": queries})["results"]
    found = {
        name: [one["id"] for one in result.get("vulns", ()) if one["id"] not in ACCEPTED]
        for name, result in zip(pinned, results, strict=True)
    }
    return {name: ids for name, ids in found.items() if ids}


def _ask(database: str, question: object) -> Any:
    request = Request(  # noqa: S310  (who runs this names the address)
        database,
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310  (as above)
            return json.load(answer)
    except json.JSONDecodeError as error:
        raise UnreachableError("what answers in its place is no database") from error
    except HTTPError as error:
        with error:
            if error.code < 500 and error.code not in (403, 404, 407, 429):
                raise  # It is there, and does not understand us.
        raise UnreachableError(f"{error.code} {error.reason}") from error
    except OSError as error:
        raise UnreachableError(getattr(error, "reason", None) or error) from error


if __name__ == "__main__":
    sys.exit(main())
