"""Which rows pass: filters of (column, predicate, value). Never limits, never where rows come from.

Values are compared as the column's type; text without regard to case, as in Ray.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, get_args

from raysim.util.state.exception import RayStateApiException
from raysim.util.state.options import Filter
from raysim.util.state.schema import StateSchema

_TRUE, _FALSE = ("true", "1"), ("false", "0")


def do_filter(
    data: Iterable[dict[str, Any]], filters: Sequence[Filter], schema: type[StateSchema]
) -> list[dict[str, Any]]:
    """Those for which all filters hold. Raises RayStateApiException for a wrong column or value."""
    tests = [_test(schema, *one) for one in filters]
    return [row for row in data if all(test(row) for test in tests)]


def _test(
    schema: type[StateSchema], column: str, predicate: str, value: Any
) -> Callable[[dict[str, Any]], bool]:
    name = column.lower()
    if name not in schema.filterable_columns():
        raise RayStateApiException(_no_such_column(name, schema))
    wanted = _folded(_converted(schema, name, value))
    if predicate == "=":
        return lambda row: bool(_folded(row.get(name)) == wanted)
    return lambda row: bool(_folded(row.get(name)) != wanted)


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _no_such_column(name: str, schema: type[StateSchema]) -> str:
    known = sorted(schema.filterable_columns())
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return (
        f"The given filter column {name} is not supported. {hint}"
        f"Supported filter columns: {', '.join(known)}."
    )


def _converted(schema: type[StateSchema], name: str, value: Any) -> Any:
    """The value in the column's type. Raises RayStateApiException."""
    [column] = [f for f in fields(schema) if f.name == name]
    types = get_args(column.type) or (column.type,)
    if isinstance(value, str) and bool in types:
        return _to_bool(name, value)
    if isinstance(value, str) and int in types:
        return _to_int(name, value)
    _check_word(schema, name, value)
    return value


def _to_bool(name: str, value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise RayStateApiException(
        f"Invalid filter `{name}={value}` for a boolean column. Use True, true or 1; or False, false or 0."
    )


def _to_int(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise RayStateApiException(
            f"Invalid filter `{name}={value}` for an int column. Provide a whole number."
        ) from None


def _check_word(schema: type[StateSchema], name: str, value: Any) -> None:
    words = schema.words(name)
    if not words or not isinstance(value, str) or value.upper() in words:
        return
    near = difflib.get_close_matches(value.upper(), words, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    what = schema.__name__.removesuffix("State").lower()
    raise RayStateApiException(
        f"Invalid {what} {name} for filtering: {value}. {hint}Valid ones are {', '.join(words)}."
    )
