"""Documents that are made from the code: written, or held against what is there. Never their text."""

import sys
from pathlib import Path


def write_or_check(document: Path, text: str, arguments: list[str]) -> int:
    """Write it; with `--check` only say whether it is stale. The exit code."""
    if "--check" not in arguments:
        document.write_text(text, "utf-8")
        return 0
    if document.is_file() and document.read_text("utf-8") == text:
        return 0
    print(f"{document} is stale. Run: python {sys.argv[0]}", file=sys.stderr)
    return 1
