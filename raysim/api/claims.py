"""What a call tells the order of the queue, in labels: `_labels={"raysim.io/priority": "2"}`. Never whose turn it is.

`_labels` is an option of Ray's, which does nothing with labels that it does not know: the program runs there as well.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from raysim.spec.call_text import hint
from raysim.spec.task import Claim
from raysim.spec.units import parse_duration

PREFIX: Final = "raysim.io/"

_FIELDS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "user": ("user", str),
    "expected-duration": ("expected_ns", parse_duration),
    "priority": ("priority", int),
    "deadline": ("within_ns", parse_duration),
}
"""Label to the field of `Claim`, and how its text is read."""


def claim_of(labels: Mapping[str, str] | None) -> Claim | None:
    """None where the labels say nothing of it. Raises ValueError for one that cannot be read."""
    said: dict[str, Any] = {}
    for label, text in (labels or {}).items():
        if not label.startswith(PREFIX):
            continue
        word = label.removeprefix(PREFIX)
        if word not in _FIELDS:
            raise ValueError(f"There is no label {label!r}{hint(word, _FIELDS)}")
        field, read = _FIELDS[word]
        try:
            said[field] = read(text)
        except ValueError as error:
            raise ValueError(f"Label {label!r}: {error}") from error
    return Claim(**said) if said else None
