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
    _leave_open(made)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _leave_open(made: dict[str, Any]) -> None:
    """What a file includes or sweeps may say the rest of its workload."""
    workload = made["properties"]["workload"]
    made["properties"]["workload"] = {"description": workload["description"]}
    made.pop("required")
    made["properties"]["sweep"]["additionalProperties"]["minItems"] = 1
    for name in (
        "include",
        "sweep",
    ):  # Validators that fill defaults in would find them in every file.
        del made["properties"][name]["default"]
    made["if"] = {"anyOf": [{"required": ["include"]}, {"required": ["sweep"]}]}
    made["then"] = {"properties": {"workload": {"type": "object"}}}
    made["else"] = {"required": ["workload"], "properties": {"workload": workload}}
