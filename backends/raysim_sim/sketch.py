"""A message as the journal holds it: everything but user data, of which only the size. Never the message itself.

User data are pickles, whose bytes depend on the order of sets and so on the interpreter's hash seed,
while what the cluster does with them does not. A digest over sketches tells runs apart by what they did.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

_SIZED: Final = frozenset({"payload", "args", "data", "function", "class_payload", "method_meta"})
_DERIVED: Final = frozenset({"function_id", "class_id"})
"""Digests over user data."""


def sketch(value: Any) -> Any:
    """Plain data: a struct becomes a list that begins with its type's name."""
    if isinstance(value, msgspec.Struct):
        return [type(value).__name__, *_fields(value)]
    if isinstance(value, (list, tuple)):
        return [sketch(item) for item in value]
    if isinstance(value, Mapping):
        return [[key, sketch(item)] for key, item in value.items()]
    return value


def _fields(struct: msgspec.Struct) -> list[Any]:
    fields: list[Any] = []
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if name in _DERIVED:
            continue
        if name in _SIZED and isinstance(value, (bytes, memoryview)):
            value = len(value)
        fields.append(sketch(value))
    return fields
