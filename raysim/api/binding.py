"""What `.bind` makes: nodes of `raysim.dag`, which stands above this layer. Never a node itself."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from raysim.api.actors import ActorClass
    from raysim.api.functions import RemoteFunction
    from raysim.api.handles import ActorMethod


class Binder(Protocol):
    """The module `raysim.dag.binding`, as this layer sees it."""

    def function(
        self, function: "RemoteFunction", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...

    def actor_class(
        self, cls: "ActorClass", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...

    def method(
        self, method: "ActorMethod", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...


def binder() -> Binder:
    """Imported by name, at the first bind: the layer above, and 20 ms that most programs do not need."""
    module: Any = import_module("raysim.dag.binding")
    made: Binder = module
    return made


class GraphRef:
    """A result that `get` takes though it is no ObjectRef: of one pass of a compiled graph."""

    __slots__ = ()

    def get(self, timeout: float | None = None) -> Any:
        raise NotImplementedError
