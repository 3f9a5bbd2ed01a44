"""Actor handles, which Ray counts, and what raysim's handles know of the methods. Never a call.

A named actor may be looked up by a process that has never seen its class, and Ray carries nothing
for us beside an actor; but its handles know the names of all methods. So the class of a named actor
gets one more method, whose name is the description.
"""

import base64
from typing import Any
from weakref import WeakSet

import ray.actor

from raysim.api.methods import encode_methods
from raysim.backend import ActorRecord
from raysim.spec.ids import ActorId
from raysim_ray.serializers import made_of, reduced

_DESCRIPTION = "__raysim_description_"
_held: dict[ActorId, WeakSet["HeldActor"]] = {}
"""Of this process; Ray's weak and counted handles of one actor call the same actor."""


class HeldActor:
    """One of Ray's handles. It counts, or does not, as Ray's does."""

    __slots__ = ("__weakref__", "handle")

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        _held.setdefault(id_of(handle), WeakSet()).add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return made_of, (HeldActor, *reduced(ray.actor.ActorHandle, self.handle))


def id_of(handle: Any) -> ActorId:
    return ActorId(handle._actor_id.binary())


def handle_of(actor_id: ActorId) -> Any:
    """Ray's handle of an actor that somebody in this process holds."""
    holders = _held.get(actor_id, ())
    for held in holders:
        return held.handle
    raise AssertionError(f"nobody here holds actor {actor_id.hex()}")


def forget_unheld() -> None:
    """Drop what is known of actors that nobody holds any more."""
    for actor_id in [actor_id for actor_id, holders in _held.items() if not holders]:
        del _held[actor_id]


def description(class_name: str, method_meta: bytes) -> str:
    """A method's name that says what a handle must know."""
    return (
        _DESCRIPTION + base64.urlsafe_b64encode(class_name.encode() + b"\0" + method_meta).decode()
    )


def record_of(handle: Any) -> ActorRecord:
    """Of any handle. An actor that was not made by raysim takes any arguments, as far as we know."""
    methods: list[str] = list(dir(handle))
    found = next((name for name in methods if name.startswith(_DESCRIPTION)), None)
    if found is not None:
        text = base64.urlsafe_b64decode(found.removeprefix(_DESCRIPTION))
        name, _, meta = text.partition(b"\0")
        return ActorRecord(id_of(handle), name.decode(), meta, HeldActor(handle))
    members = {name: _anything for name in methods if name != "__init__"}
    meta = encode_methods(type("Actor", (), members))
    class_name = repr(handle).partition("(")[2].partition(",")[0]
    return ActorRecord(id_of(handle), class_name, meta, HeldActor(handle))


def _anything(self: Any, *args: Any, **kwargs: Any) -> None:
    """Stands for a method of which nothing is known but its name."""
