"""Where Ray's arguments have objects spilled to. Never makes a folder: see the backends."""

import json
from collections.abc import Mapping
from typing import Any

ARGUMENT = "object_spilling_directory"
CONFIG = "object_spilling_config"
_FILES = "filesystem"


def with_directories(
    config: Mapping[str, Any] | None, directory: object = None
) -> Mapping[str, Any] | None:
    """`_system_config` with the folders that `init(object_spilling_directory=...)`, or Ray's
    `object_spilling_config` in it, names. Raises ValueError for what is neither."""
    named = None if not isinstance(config, Mapping) else config.get(CONFIG)
    if directory and named:
        raise ValueError(
            f"Give either {ARGUMENT}={directory!r} or _system_config[{CONFIG!r}], not both."
        )
    if not (directory or named):
        return config
    assert config is None or isinstance(config, Mapping)
    found = [directory] if directory else _parse(named)
    if not found or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"Folders for spilled objects are texts, not {found!r}.")
    rest = {name: value for name, value in (config or {}).items() if name != CONFIG}
    return {**rest, "object_spilling_directories": found}


def _parse(text: Any) -> list[Any]:
    example = '{"type": "filesystem", "params": {"directory_path": "/data/spilled"}}'
    try:
        parsed = json.loads(text) if isinstance(text, str) else text
        kind, params = parsed["type"], parsed["params"]
        paths = params["directory_path"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"_system_config: {CONFIG}={text!r} is not like {example}") from error
    if kind != _FILES:
        raise ValueError(
            f"_system_config: {CONFIG} has the type {kind!r}; raysim spills to folders only: {example}"
        )
    return list(paths) if isinstance(paths, list | tuple) else [paths]
