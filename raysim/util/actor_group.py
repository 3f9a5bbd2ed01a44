"""ActorGroup: equal actors that are called all at once. Never balances work: see actor_pool.

Ray has deprecated it; it is here for programs that use it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, overload

from raysim.api.handles import ActorHandle, kill
from raysim.api.objects import wait
from raysim.api.remote import remote
from raysim.runtime.object_ref import ObjectRef

PATIENCE_S = 5
"""Seconds that `shutdown` waits for the actors to end by themselves. Ray: `ActorGroup.shutdown`."""


class ActorWrapper(NamedTuple):
    """One actor of a group."""

    actor: ActorHandle
    metadata: Any


class ActorGroupMethod:
    """A method of all actors of a group."""

    def __init__(self, group: "ActorGroup", name: str) -> None:
        self._group = group
        self._name = name

    def remote(self, *args: Any, **kwargs: Any) -> list[ObjectRef]:
        """Call it on each of them; a reference per actor."""
        return [
            getattr(one.actor, self._name).remote(*args, **kwargs) for one in self._group.actors
        ]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "ActorGroup methods cannot be called directly. Instead of running "
            f"'object.{self._name}()', try 'object.{self._name}.remote()'."
        )


class ActorGroup:
    """`num_actors` actors of one class. Raises ValueError for fewer than 1 actor, or less than no resource."""

    def __init__(
        self,
        actor_cls: type,
        num_actors: int = 1,
        num_cpus_per_actor: float = 1,
        num_gpus_per_actor: float = 0,
        resources_per_actor: Mapping[str, float] | None = None,
        init_args: Sequence[Any] | None = None,
        init_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if num_actors <= 0:
            raise ValueError(
                "The provided `num_actors` must be greater than 0. "
                f"Received num_actors={num_actors} instead."
            )
        if num_cpus_per_actor < 0 or num_gpus_per_actor < 0:
            raise ValueError(
                "The number of CPUs and GPUs per actor must not be negative. Received "
                f"num_cpus_per_actor={num_cpus_per_actor} and "
                f"num_gpus_per_actor={num_gpus_per_actor}."
            )
        self._class = remote(
            num_cpus=num_cpus_per_actor,
            num_gpus=num_gpus_per_actor,
            resources=dict(resources_per_actor or {}),
        )(actor_cls)
        self._number = num_actors
        self._args = tuple(init_args or ())
        self._kwargs = dict(init_kwargs or {})
        self.actors: list[ActorWrapper] = []
        self.start()

    def start(self) -> None:
        """Create the actors again. Raises RuntimeError while there are some."""
        if self.actors:
            raise RuntimeError(
                "The actors have already been started. Please call `shutdown` first if you want "
                "to restart them."
            )
        self.add_actors(self._number)

    def shutdown(self, patience_s: float = PATIENCE_S) -> None:
        """End all actors: after their calls, or after so many seconds (0: at once)."""
        ending, self.actors = self.actors, []
        if patience_s > 0 and ending:
            refs = [one.actor.__ray_terminate__.remote() for one in ending]
            wait(refs, num_returns=len(refs), timeout=patience_s)
        for one in ending:
            kill(one.actor)

    def add_actors(self, num_actors: int) -> None:
        """So many more."""
        for _ in range(num_actors):
            actor = self._class.remote(*self._args, **self._kwargs)
            self.actors.append(ActorWrapper(actor, None))

    def remove_actors(self, actor_indexes: Sequence[int]) -> None:
        """Let go of these; each ends after its calls. Indices that are not there do not matter."""
        gone = set(actor_indexes)
        self.actors = [one for index, one in enumerate(self.actors) if index not in gone]

    @property
    def actor_metadata(self) -> list[Any]:
        return [one.metadata for one in self.actors]

    def __getattr__(self, name: str) -> ActorGroupMethod:
        if name.startswith("_") or name == "actors":
            raise AttributeError(name)  # Of a group that is not made yet.
        return ActorGroupMethod(self, name)

    @overload
    def __getitem__(self, item: int) -> ActorWrapper: ...
    @overload
    def __getitem__(self, item: slice) -> list[ActorWrapper]: ...
    def __getitem__(self, item: int | slice) -> ActorWrapper | list[ActorWrapper]:
        return self.actors[item]

    def __len__(self) -> int:
        return len(self.actors)
