"""Writes the reference in docs/scenarios.md from the model of scenarios. Never explains a key that is not in it.

python tools/scenarios.py            write it
python tools/scenarios.py --check    exit 1 if it is stale
"""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from raysim.scenario.arrivals import KINDS as ARRIVALS
from raysim.scenario.distributions import KINDS as DISTRIBUTIONS
from raysim.scenario.model import Scenario
from raysim.spec.units import format_duration
from tools.generated import write_or_check

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "scenarios.md"
MARK = "<!-- What follows is written by tools/scenarios.py. -->\n"

MOST_WORDS = 9
"""Of a choice, that are listed."""

WORDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "`true` or `false`",
    "null": "",
}


def document() -> str:
    written, mark, _ = DOCUMENT.read_text("utf-8").partition(MARK)
    parts = [written + mark, "## Reference", ""]
    schema = Scenario.model_json_schema(by_alias=True)
    parts += _part("A scenario", schema)
    for name in _in_order(schema):
        parts += _part(name, schema["$defs"][name])
    parts += ["## Distributions", "", *_kinds(DISTRIBUTIONS), ""]
    parts += ["## Arrivals", "", *_kinds(ARRIVALS), ""]
    parts += [
        "## Shipped scenarios",
        "",
        "In `scenarios/`, each with what one learns from it:",
        "",
        *_shipped(),
    ]
    return "\n".join(parts) + "\n"


def _in_order(schema: Mapping[str, Any]) -> list[str]:
    """Parts as they come up, from the top down."""
    found: dict[str, None] = {}
    ahead: list[Any] = [schema["properties"]]
    while ahead:
        at = ahead.pop(0)
        if isinstance(at, list):
            ahead += at
        elif isinstance(at, dict):
            name = str(at.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found[name] = None
                ahead.append(schema["$defs"][name]["properties"])
            ahead += [value for key, value in at.items() if key != "discriminator"]
    return list(found)


def _part(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"### {name}", "", _line(schema["description"]), "")
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    needed = schema.get("required", ())
    for key, field in schema["properties"].items():
        default = "needed" if key in needed else _default(field)
        yield f"| `{key}` | {_value(field)} | {default} | {_line(field.get('description', ''))} |"
    yield ""


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _value(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "examples" in field:
        return ", ".join(f"`{one}`" for one in field["examples"])
    if "enum" in field:
        some = field["enum"][:MOST_WORDS]
        return ", ".join(f"`{one}`" for one in some) + (
            " ..." if len(field["enum"]) > MOST_WORDS else ""
        )
    members = field.get("anyOf") or field.get("oneOf")
    if members:
        return " or ".join(dict.fromkeys(filter(None, map(_value, members))))
    match field.get("type"):
        case "array":
            return f"list of {_value(field['items'])}" if field["items"] else "list"
        case "object" if not field["additionalProperties"]:
            return ""
        case "object":
            return f"mapping to {_value(field['additionalProperties'])}"
        case kind:
            return WORDS[str(kind)]


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default is None or default in ([], {}, ""):
        return ""
    if "500ms" in field.get("examples", ()) and isinstance(default, int):
        return f"`{format_duration(default)}`"
    return f"`{json.dumps(default)}`" if not isinstance(default, (dict, str)) else _named(default)


def _named(default: object) -> str:
    return f"`{default}`" if isinstance(default, str) else ""


def _kinds(kinds: Mapping[str, Callable[..., Any]]) -> Iterator[str]:
    for name, kind in kinds.items():
        parameters = []
        for field in fields(kind):  # type: ignore[arg-type]  # Each is a dataclass.
            given = "" if field.default is MISSING else f"={field.default:g}"
            parameters.append(f"{field.name}{given}")
        said = _line(inspect.getdoc(kind) or "")
        own = "" if said.startswith(f"{kind.__name__}(") else said
        yield f"- `{name}({', '.join(parameters)})`{': ' + own if own else ''}"


def _shipped() -> Iterator[str]:
    for file in sorted((ROOT / "scenarios").glob("*.yaml")):
        comment = []
        for line in file.read_text("utf-8").splitlines():
            if not line.startswith("#"):
                break
            if not line.startswith("#  ") and line != "#":
                comment.append(line.removeprefix("# "))
        yield f"- [{file.stem}](../scenarios/{file.name}): {' '.join(comment)}"


if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, document(), sys.argv[1:]))
