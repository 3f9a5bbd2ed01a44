"""`exit_actor`: an actor that ends itself. Never another one: see `kill` in handles."""

from typing import NoReturn

from raysim.runtime.current import current


def exit_actor() -> NoReturn:
    """End the actor that calls. It is not restarted.

    This call and those that wait fail with ActorDiedError; coroutines that run are finished first.
    `__ray_shutdown__` and atexit handlers run. Raises TypeError outside of an actor.
    Ray: `ray.actor.exit_actor`.
    """
    backend = current()
    if backend is None or backend.context_info().actor_id is None:
        raise TypeError(
            "exit_actor() was called outside of an actor: only an actor can end itself."
        )
    backend.exit_actor()
