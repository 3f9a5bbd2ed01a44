"""Placement policies by what people write: `power_of_d(d=3)`, `module:Class`, `mine.py:Mine`. Never decides.

A package makes its own known under the entry-point group `raysim.policies`.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType
from typing import Final

from raysim.config import Config
from raysim.policies.base import Policy
from raysim.policies.fgd import Fgd
from raysim.policies.fit import BestFit, DotProduct, FirstFit, WorstFit
from raysim.policies.gpus import GpuBestFit, GpuClustering, GpuDotProduct, GpuPacking
from raysim.policies.hybrid import Hybrid
from raysim.policies.load import LeastLoaded, RandomNode
from raysim.policies.planning.planners import Cpop, CriticalPath, Heft, MaxMin, MinMin, Peft
from raysim.policies.queueing import (
    BatchSampling,
    LateBinding,
    Omniscient,
    PowerOfD,
    Queueing,
    RandomQueue,
)
from raysim.policies.spread import Spread
from raysim.spec.call_text import hint, parse_call

GROUP: Final = "raysim.policies"
"""Of entry points: a name, and the class."""

_EXAMPLE: Final = "power_of_d(d=3)"

_OWN: Final[Mapping[str, Callable[..., Policy]]] = MappingProxyType(
    {
        made.name: made
        for made in (
            *(Hybrid, Spread, RandomNode, FirstFit, BestFit, WorstFit),
            *(DotProduct, LeastLoaded, Fgd, GpuBestFit, GpuDotProduct, GpuPacking, GpuClustering),
            *(RandomQueue, PowerOfD, BatchSampling, LateBinding, Omniscient),
            *(Heft, Cpop, Peft, MinMin, MaxMin, CriticalPath),
        )
    }
)


def names() -> list[str]:
    """Those that can be given by name alone: raysim's, then those that others have installed."""
    return list(dict.fromkeys([*_OWN, *sorted(_installed())]))


def create(text: str, config: Config) -> Policy:
    """A new policy, as written. Each raylet, and the GCS, has an object of its own.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    call = parse_call(text, "policy", _EXAMPLE)
    make, preset = _found(call.name), {}
    if call.name == Hybrid.name:
        make, preset = Hybrid, _configured(config)
    arguments = _arguments(call.name, make, call.arguments, preset)
    try:
        return make(**arguments)
    except ValueError as error:
        raise ValueError(f"policy {text!r}: {error}") from error


def queues(config: Config) -> bool:
    """Whether the policy says where a call waits, though others have room: see queueing."""
    return isinstance(create(config.policy, config), Queueing)


def located(text: str, folder: Path) -> str:
    """The same policy for who runs elsewhere: the path of its file, if it has one, is absolute."""
    file, colon, rest = text.partition(":")
    if not colon or not file.endswith(".py"):
        return text
    return f"{(folder / file).resolve()}:{rest}"


def _configured(config: Config) -> dict[str, object]:
    """Arguments of `hybrid`, as Ray configures it."""
    return {
        "threshold": config.scheduler_spread_threshold,
        "fraction": config.scheduler_top_k_fraction,
        "absolute": config.scheduler_top_k_absolute,
    }


def _found(name: str) -> Callable[..., Policy]:
    own = _OWN.get(name)
    if own is not None:
        return own
    place, colon, attribute = name.rpartition(":")
    if colon:
        return _policy_class(name, _module(name, place), attribute)
    value = _installed().get(name)
    if value is not None:
        module, _, attribute = value.partition(":")
        return _policy_class(f"{name} = {value}", _module(name, module), attribute)
    raise ValueError(f"unknown policy {name!r}{hint(name, names())}")


def _installed() -> dict[str, str]:
    """Name to `module:Class`, of other packages."""
    from importlib.metadata import entry_points  # Every start would pay for it, and few need it.

    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def _module(name: str, place: str) -> object:
    try:
        return _imported(place)
    except (ImportError, OSError, SyntaxError) as error:
        raise ValueError(f"policy {name!r} cannot be loaded: {error}") from error


@cache
def _imported(place: str) -> object:
    """Once, however many nodes a simulated cluster has."""
    if not place.endswith(".py"):
        return import_module(place)
    spec = spec_from_file_location(Path(place).stem, place)
    assert spec is not None, f"{place} is no Python file"
    assert spec.loader is not None, f"{place} is no Python file"
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _policy_class(name: str, module: object, attribute: str) -> Callable[..., Policy]:
    found = getattr(module, attribute, None)
    if found is None:
        there = [one for one, value in vars(module).items() if hasattr(value, "pick")]
        raise ValueError(f"policy {name!r}: there is no {attribute!r}{hint(attribute, there)}")
    if not (isinstance(found, type) and callable(getattr(found, "pick", None))):
        raise ValueError(f"policy {name!r} is no class with a method `pick`: see docs/policies.md")
    return found


def _arguments(
    name: str,
    make: Callable[..., Policy],
    given: Mapping[str, str],
    preset: Mapping[str, object],
) -> dict[str, object]:
    """As its constructor declares them: whole numbers, numbers, texts, true or false."""
    known = _parameters(make)
    for word in given:
        if word not in known:
            raise ValueError(f"policy {name} has no argument {word!r}{hint(word, known)}")
    for word, parameter in known.items():
        if word not in given and word not in preset and parameter.default is parameter.empty:
            raise ValueError(f"policy {name} needs {word!r}; write it as {name}({word}=...)")
    return {**preset, **{word: _value(name, known[word], text) for word, text in given.items()}}


@cache
def _parameters(make: Callable[..., Policy]) -> Mapping[str, inspect.Parameter]:
    """Once, however many nodes and worlds there are."""
    return inspect.signature(make, eval_str=True).parameters


def _value(name: str, parameter: inspect.Parameter, text: str) -> object:
    form = parameter.annotation
    try:
        if form is bool:
            return {"true": True, "false": False}[text.lower()]
        return form(text) if form in (int, float) else text
    except (KeyError, ValueError):
        wants = {bool: "true or false", int: "a whole number", float: "a number"}[form]
        what = f"policy {name}: {parameter.name} must be {wants}, not {text!r}"
        raise ValueError(what) from None
