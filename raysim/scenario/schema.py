"""The JSON Schema of scenario files, from the model, for editors. Never judges a file itself: see validation."""

from __future__ import annotations

from typing import Any

from raysim.scenario.model import Scenario


def schema() -> dict[str, Any]:
    """Of one file. An unknown key is a mistake here too, though the model leaves that to `validation`."""
    made = Scenario.model_json_schema(by_alias=True)
    for part in (made, *made.get("$defs", {}).values()):
        if part.get("type") == "object" and "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
