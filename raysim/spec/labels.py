"""Labels of nodes, and what selects nodes by them. Never which node: see policies.

A selector is a conjunction of expressions over the labels of one node. Labels follow the syntax of
Kubernetes: key `[prefix/]name`, name and value up to 63 letters, digits, `-`, `_` and `.`, with a
letter or digit at both ends; a value may be empty.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import TypeAlias

import msgspec

from raysim.spec.ids import NodeId

NODE_ID = "ray.io/node-id"
"""Every node has this one: its id in hex. Ray's."""

ACCELERATOR_TYPE = "ray.io/accelerator-type"
"""The model of a node's GPUs. Ray's."""

RESERVED = "ray.io/"
"""What keys of labels that the cluster sets by itself begin with. Ray's."""

_PART = r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?"
_NAME = re.compile(_PART)
_DNS = r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"{_DNS}(\.{_DNS})*")
_LONGEST_DOMAIN = 253
_SYNTAX = "up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"


class Operator(IntEnum):
    IN = 0
    NOT_IN = 1
    """Also of a node without the label."""
    EXISTS = 2
    DOES_NOT_EXIST = 3


class Expression(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one label has to be."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels

    def __str__(self) -> str:
        match self.operator:
            case Operator.IN:
                return f"{self.key}={_one_of(self.values)}"
            case Operator.NOT_IN:
                return f"{self.key}!={_one_of(self.values)}"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"


Selector: TypeAlias = tuple[Expression, ...]
"""All of them; the empty one matches every node."""


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    return all(expression.matches(labels) for expression in selector)


def describe(selector: Selector) -> str:
    return " and ".join(str(expression) for expression in selector) or "any"


def as_given(selector: Selector) -> dict[str, str]:
    """As `parse_selector` takes it."""
    return {one.key: str(one).removeprefix(one.key).removeprefix("=") for one in selector}


def parse_selector(given: Mapping[str, str]) -> Selector:
    """Ray's `label_selector`: key to `v`, `!v`, `in(a,b)` or `!in(a,b)`; "" is the empty value.

    Raises ValueError or TypeError.
    """
    return tuple(_parse(key, value) for key, value in given.items())


def _parse(key: str, value: object) -> Expression:
    check_key(key)
    if not isinstance(value, str):
        raise TypeError(f"The value of label {key!r} in a selector must be str, not {value!r}.")
    rest = value
    operator = Operator.IN
    if rest.startswith("!"):
        rest, operator = rest[1:], Operator.NOT_IN
        if not rest:
            raise _invalid_selector(value)
    if rest.startswith("in(") and rest.endswith(")"):
        values = tuple(part.removeprefix(" ") for part in rest[3:-1].split(","))
    else:
        values = (rest,)
    if rest and not all(_NAME.fullmatch(one) for one in values):
        raise _invalid_selector(value)
    return Expression(key, operator, values)


def check_labels(labels: Mapping[str, object]) -> None:
    """Raises ValueError for what cannot be the labels of a node."""
    for key, value in labels.items():
        check_key(key)
        if not isinstance(value, str) or (value and not _NAME.fullmatch(value)):
            raise ValueError(f"Invalid value {value!r} of label {key!r}: it has {_SYNTAX}.")


def check_key(key: str) -> None:
    """Raises ValueError, or TypeError for what is no text."""
    if not isinstance(key, str):
        raise TypeError(f"The key of a label must be str, but it is {key!r}.")
    domain, slash, name = key.rpartition("/")
    if slash and (len(domain) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(domain)):
        raise ValueError(
            f"Invalid label key prefix {domain!r} of {key!r}: it is a series of DNS labels separated by "
            f"dots, {_LONGEST_DOMAIN} characters at most."
        )
    if not _NAME.fullmatch(name):
        raise ValueError(f"Invalid label key name {name!r}: it has {_SYNTAX}.")


def of_node(node_id: NodeId, own: Mapping[str, str]) -> dict[str, str]:
    """A node's labels: its own, and those that every node has."""
    return {**own, NODE_ID: node_id.hex()}


def _invalid_selector(value: str) -> ValueError:
    return ValueError(
        f"Invalid label selector value {value!r}. It is a label value, or several as in(a, b), after ! for "
        f"any other; a label value has {_SYNTAX}."
    )


def _one_of(values: tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else f"in({', '.join(values)})"
