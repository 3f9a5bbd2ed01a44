"""YAML text -> Document, with the scalars of YAML 1.2's core schema. Never builds Python objects.

YAML 1.1, which PyYAML speaks by itself, reads `on` as true and `12:30:00` as 45000. Here both stay
text, as in YAML 1.2: https://yaml.org/spec/1.2.2/#103-core-schema. `<<` is refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from raysim.scenario.document import Document, Path, Places
from raysim.scenario.problems import Place, Problem, ScenarioError

_TAG: Final = "tag:yaml.org,2002:"
_CORE: Final = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}
"""Plain scalars that are not text, by tag, in the order in which they are tried."""
_MOST_VALUES: Final = 100_000
"""Values in one document. Aliases of aliases can grow a short file without end; this ends it."""


_DEEPEST: Final = 100
"""Levels that no scenario has; Python's own limit, which ends the reading of more, is some hundred away."""
_MOST_DIGITS: Final = 400
"""Of a number: more than any quantity has. Python refuses to read some thousands."""
_REMEDIES: Final = {
    "'\\t' that cannot start any token": "indent with spaces, not with tabs",
    "mapping values are not allowed here": "is a colon above without a space, or this line indented too far?",
    "expected ',' or": "is the bracket{line} not closed?",
    "unexpected end of stream": "is the quote{line} not closed?",
    "found undefined alias": "only what an anchor (&name) above it names can be referred to",
    "expected a single document": "a file is one scenario, so leave out the `---`",
    "could not find expected ':'": "is a colon missing{line}?",
}
"""What helps against what PyYAML says."""


def parse_yaml(text: str, file: str) -> Document:
    """The document in this text. Raises ScenarioError where it is not YAML, with every repeat."""
    try:
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _marked(mark) if mark else None
        words = " ".join(filter(None, (error.context, error.problem)))
        what = f"this is not YAML: {words}{_remedy(error)}"
        raise ScenarioError([Problem(file, place, what)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        what = f"this is not YAML: the character {text[error.position]!r} is not allowed"
        raise ScenarioError([Problem(file, place, what)]) from None
    except RecursionError:
        what = f"more than {_DEEPEST} levels of nesting; is a bracket not closed?"
        raise ScenarioError([Problem(file, _too_deep(text), what)]) from None
    if root is None:
        raise ScenarioError([Problem(file, Place(1, 1), "the file is empty")])
    tree = _Tree(file)
    data = tree.value(root, (), frozenset())
    if tree.problems:
        raise ScenarioError(tree.problems)
    places = Places(tree.values, tree.keys)
    return Document(file, data, lambda: places)


def _remedy(error: yaml.MarkedYAMLError) -> str:
    said = f"{error.context or ''} {error.problem or ''}"
    for words, remedy in _REMEDIES.items():
        if words in said:
            begun = error.context_mark
            line = f" on line {begun.line + 1}" if begun is not None else ""
            return f"; {remedy.format(line=line)}"
    return ""


def _too_deep(text: str) -> Place | None:
    """Where the nesting passes all bounds: events come one by one, whatever the depth."""
    depth = 0
    for event in yaml.parse(text, Loader=_CoreLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                return _marked(event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


class _CoreLoader(yaml.SafeLoader):
    """PyYAML's grammar with YAML 1.2's core schema."""


_CoreLoader.yaml_implicit_resolvers = {}  # None of YAML 1.1's.
for _name, _pattern in _CORE.items():
    _CoreLoader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)


class _Tree:
    """Turns nodes into plain data and remembers where each stood."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}

    def value(self, node: Node, path: Path, around: frozenset[int]) -> object:
        self.values[path] = _place(node)
        if id(node) in around:
            self._report(node, "this value contains itself")
            return None
        if len(self.values) > _MOST_VALUES:
            problem = Problem(self.file, _place(node), f"more than {_MOST_VALUES} values")
            raise ScenarioError([problem])
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        inside = around | {id(node)}
        self._check_tag(node, "seq" if isinstance(node, SequenceNode) else "map")
        if isinstance(node, SequenceNode):
            items = enumerate(node.value)
            return [self.value(item, (*path, index), inside) for index, item in items]
        assert isinstance(node, MappingNode)
        return self._mapping(node, path, inside)

    def _mapping(self, node: MappingNode, path: Path, around: frozenset[int]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._report(key, "a key must be a word")
                continue
            if key.value == "<<" and key.style is None:
                self._report(
                    key, "`<<` is not part of YAML 1.2; use `include`, or write the keys here"
                )
                continue
            inner = (*path, key.value)
            if key.value in found:
                first = self.keys[inner]
                self._report(key, f"{key.value!r} is given twice; it stands on line {first.line}")
                continue
            self.keys[inner] = _place(key)
            found[key.value] = self.value(value, inner, around)
        return found

    def _scalar(self, node: ScalarNode) -> object:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                if len(text) > _MOST_DIGITS:
                    self._report(node, f"a number of {len(text)} digits is more than any quantity")
                    return 0
                return int(text, 10 if text.lstrip("+-").isdecimal() else 0)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                self._check_tag(node, "str")
                return None

    def _check_tag(self, node: Node, plain: str) -> None:
        tag = node.tag.removeprefix(_TAG)
        if tag != plain:
            self._report(node, f"the tag {tag!r} has no meaning here; write the value without it")

    def _report(self, node: Node, what: str) -> None:
        self.problems.append(Problem(self.file, _place(node), what))


def _place(node: Node) -> Place:
    return _marked(node.start_mark)


def _marked(mark: Any) -> Place:
    assert mark is not None, "what is composed from text has a mark"
    return Place(mark.line + 1, mark.column + 1)
