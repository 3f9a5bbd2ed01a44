"""A name with arguments as people write it, and the nearest right name. Never knows what it names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

_CALL: Final = re.compile(r"\s*([^\s()=,]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


class CallText(NamedTuple):
    name: str
    arguments: dict[str, str]
    """By name, in their order, as texts."""


def parse_call(text: str, kind: str, example: str) -> CallText:
    """What stands in the text. `kind` is what it should be (`fault`), `example` one well written.

    Raises ValueError that says what is wrong.
    """
    call = _CALL.fullmatch(text)
    if call is None and "(" in text and ")" not in text:
        raise ValueError(
            f"{text!r}: its bracket is not closed; in a [list] or {{mapping}}, put it in quotes"
        )
    if call is None:
        raise ValueError(f"{text!r} is not a {kind}; write it as {example}")
    arguments: dict[str, str] = {}
    for part in filter(str.strip, (call[2] or "").split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            form = example.partition("(")[2].partition(",")[0].rstrip(")")
            raise ValueError(f"{part.strip()!r} in {text!r} has no name; write it as {form}")
        if name.strip() in arguments:
            raise ValueError(f"{name.strip()!r} is given twice in {text!r}")
        arguments[name.strip()] = value.strip()
    return CallText(call[1], arguments)


def hint(word: str, known: Iterable[str]) -> str:
    """For the end of an error: the known word that is nearest, or all of them."""
    from difflib import get_close_matches  # Only mistakes need it.

    words = list(known)
    close = get_close_matches(word.lower().replace("-", "_"), words, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are {', '.join(words)}" if words else ""
