"""What a `runtime_env` installs: `pip`, `uv`, `conda`, and the images of containers. Checked; never installed here.

The checks, and what they raise, are Ray's (`ray/_private/runtime_env/validation.py`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_CONTAINER_FIELDS = ("image", "run_options", "worker_path")


def is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def installer(
    tool: str, options: dict[str, type], takes_file: bool, usual: Mapping[str, Any]
) -> Callable[[Any], dict[str, Any] | None]:
    """The check of `pip` or `uv`: a list, a requirements file, or a dict of both and options.

    `takes_file`: also in the dict. `usual`: what a dict says that does not say it.
    """

    def check(value: Any) -> dict[str, Any] | None:
        if isinstance(value, str):
            value = _requirements(value)
        if is_list_of_strings(value):
            value = {"packages": value}
        elif isinstance(value, dict):
            value = {**usual, **value}
        else:
            raise TypeError(
                f"runtime_env['{tool}'] must be of type str or List[str], got {type(value)}"
            )
        _check_options(tool, value, options)
        packages = value["packages"]
        if takes_file and isinstance(packages, str):
            packages = _requirements(packages)
        if not isinstance(packages, list):
            raise ValueError(
                f"runtime_env['{tool}']['packages'] must be of type list, got: {type(packages)}"
            )
        if not is_list_of_strings(packages):
            raise TypeError(f"runtime_env['{tool}']['packages'] must be of type list[str].")
        if not packages:
            return None
        return {f"{tool}_check": False, **value, "packages": list(dict.fromkeys(packages))}

    return check


def _check_options(tool: str, value: dict[str, Any], options: dict[str, type]) -> None:
    known = ["packages", *options]
    if set(value) - set(known):
        raise ValueError(
            f"runtime_env['{tool}'] can only have these fields: {', '.join(known)}, but got: {list(value)}"
        )
    if "packages" not in value:
        raise ValueError(f"runtime_env['{tool}'] must include field 'packages', but got {value}")
    for name, kind in options.items():
        wrong = name in value and not isinstance(value[name], kind)
        if wrong or (kind is list and name in value and not is_list_of_strings(value[name])):
            raise TypeError(
                f"runtime_env['{tool}']['{name}'] must be of type "
                f"{'list[str]' if kind is list else kind.__name__}, got {type(value[name])}"
            )


def _requirements(file: str) -> list[str]:
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{path} is not a valid file")
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def conda(value: Any) -> str | dict[str, Any]:
    """The name or the folder of an environment; a `.yaml` file of one, read here; or what such a file says."""
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, str):
        raise TypeError(f"runtime_env['conda'] must be of type str or dict, got {type(value)}.")
    path = Path(value)
    if path.suffix in (".yaml", ".yml"):
        return _conda_file(path)
    if path.is_absolute() and not path.is_dir():
        raise ValueError(f"Can't find conda env directory {path}.")
    return value


def _conda_file(path: Path) -> dict[str, Any]:
    import yaml  # Here: it takes 10 ms, which only those pay that have such a file.

    if not path.is_file():
        raise ValueError(f"Can't find conda YAML file {path}.")
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"Failed to read conda file {path}: {error}.") from None
    if not isinstance(found, dict):
        raise ValueError(
            f"Failed to read conda file {path}: it is not a mapping of names to values."
        )
    return found


def image_uri(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"runtime_env['image_uri'] must be the name of an image, got {value!r}.")
    return value


def container(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"runtime_env['container'] must be of type dict, got {type(value)}.")
    unknown = [name for name in value if name not in _CONTAINER_FIELDS]
    if unknown or not isinstance(value.get("image"), str):
        raise ValueError(
            f"runtime_env['container'] must have 'image', and may have 'run_options', but got {value}"
        )
    options = value.get("run_options")
    if options is not None and not is_list_of_strings(options):
        raise TypeError(
            f"runtime_env['container']['run_options'] must be of type list[str], got {options!r}."
        )
    return dict(value)
