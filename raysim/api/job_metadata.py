"""What a job tells the cluster of itself, in its metadata: `{"raysim.io/priority": "10"}`. Never who acts on it.

Metadata is Ray's (`JobConfig(metadata=...)`, a submitted job's), which does nothing with it: the program runs there
as well. Tasks say the same of themselves in labels: see claims.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from raysim.api.claims import PREFIX
from raysim.spec.call_text import hint
from raysim.spec.job import JobSettings
from raysim.spec.resources import CPU, GPU, MEMORY, OBJECT_STORE_MEMORY, Resources, fixed
from raysim.spec.units import parse_size

_ALIKE: Final = {"cpu": CPU, "cpus": CPU, "num_cpus": CPU, "gpu": GPU, "gpus": GPU, "num_gpus": GPU}
"""What people write, to what the resource is called."""


def settings_of(metadata: Mapping[str, str]) -> JobSettings:
    """`user` (whose turns the job takes), `priority` (higher comes first), `quota` (`CPU=4,GPU=1`).

    Raises ValueError for what cannot be read. Metadata without the prefix is the program's own.
    """
    said: dict[str, Any] = {}
    for name, text in metadata.items():
        if not name.startswith(PREFIX):
            continue
        word = name.removeprefix(PREFIX)
        if word not in _FIELDS:
            raise ValueError(f"There is no metadata {name!r} of a job{hint(word, _FIELDS)}")
        try:
            said[word] = _FIELDS[word](text)
        except ValueError as error:
            raise ValueError(f"Metadata {name!r}: {error}") from error
    return JobSettings(**said)


def quota_of(text: str) -> Resources:
    """Of `CPU=4,GPU=1,memory=8GiB`. Raises ValueError."""
    amounts: dict[str, float] = {}
    for part in text.split(","):
        name, sign, amount = (one.strip() for one in part.partition("="))
        if not sign or not name:
            raise ValueError(f"{part.strip()!r} is not written as RESOURCE=AMOUNT, such as CPU=4")
        if name in _ALIKE:
            raise ValueError(f"no resource is called {name}; did you mean {_ALIKE[name]}?")
        if name == OBJECT_STORE_MEMORY:
            raise ValueError(f"{name} is no job's: objects outlive the tasks that made them")
        if name in amounts:
            raise ValueError(f"{name} is given twice, in {text!r}")
        amounts[name] = _amount(name, amount)
    return {name: fixed({name: some}).get(name, 0) for name, some in sorted(amounts.items())}


def _amount(name: str, text: str) -> float:
    try:
        found = parse_size(text) if name == MEMORY else float(text)
    except ValueError as error:
        why = str(error) if name == MEMORY else f"{text!r} is no number"
        raise ValueError(f"{name}={text}: {why}") from error
    if not 0 <= found < float("inf"):
        raise ValueError(f"{name}={text}: an amount is 0 or more, and finite")
    return found


_FIELDS: Final[Mapping[str, Callable[[str], Any]]] = {
    "user": str,
    "priority": int,
    "quota": quota_of,
}
"""What comes behind the prefix, a field of `JobSettings`, and how its text is read."""


def with_standing(
    metadata: Mapping[str, str], priority: int | None, quota: Iterable[str]
) -> dict[str, str]:
    """Metadata that says this as well. Raises ValueError."""
    parts = ",".join(quota)
    said = {
        **({} if priority is None else {f"{PREFIX}priority": str(priority)}),
        **({f"{PREFIX}quota": parts} if parts else {}),
    }
    twice = [name for name in said if name in metadata]
    if twice:
        raise ValueError(f"{twice[0]} is in the metadata, too. Leave it out of one of them.")
    return {**metadata, **said}
