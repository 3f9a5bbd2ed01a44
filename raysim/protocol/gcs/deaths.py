"""Why an actor died, in words for its users. Never decides that it dies."""

from msgspec.structs import replace

from raysim.spec.actor import ActorSpec
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ActorId


def _named(spec: ActorSpec) -> str:
    name = f" named {spec.name!r}" if spec.name else ""
    return f"Actor {spec.class_name}{name} ({spec.actor_id.hex()[:8]})"


def _died(spec: ActorSpec, text: str, reason: str) -> Failure:
    said = f"{_named(spec)} {text}"
    return Failure(FailureKind.ACTOR_DIED, said, spec.actor_id, reason=reason)


def process_lost(
    spec: ActorSpec, reason: str, restarts: int, out_of_memory: bool = False
) -> Failure:
    if spec.max_restarts == 0:
        advice = "It has max_restarts=0; raise it with .options(max_restarts=...) to survive this."
    else:
        advice = f"It was restarted {restarts} times, and max_restarts={spec.max_restarts}."
    word = "NODE_DIED" if reason.startswith("node ") else "WORKER_DIED"
    death = _died(spec, f"lost its process: {reason}. {advice}", word)
    return replace(death, kind=FailureKind.OUT_OF_MEMORY) if out_of_memory else death


def exited(spec: ActorSpec, reason: str) -> Failure:
    return _died(spec, f"ended of its own will: {reason}.", "WORKER_DIED")


def killed(spec: ActorSpec) -> Failure:
    return _died(spec, "was killed by ray.kill().", "RAY_KILL")


def out_of_scope(spec: ActorSpec) -> Failure:
    return _died(
        spec,
        "ended because the last counted handle to it went out of scope. Keep a handle from "
        "its creator, or create it with lifetime='detached'.",
        "OUT_OF_SCOPE",
    )


def owner_lost(spec: ActorSpec, reason: str) -> Failure:
    return _died(
        spec,
        f"ended with its owner, the process that created it: {reason}. Create it with "
        "lifetime='detached' to let it live on.",
        "OWNER_DIED",
    )


def job_finished(spec: ActorSpec) -> Failure:
    text = "ended with its job. Create it with lifetime='detached' to let it live on."
    return _died(spec, text, "OWNER_DIED")


def name_taken(spec: ActorSpec) -> Failure:
    return Failure(
        FailureKind.ACTOR_NAME_TAKEN,
        f"The name {spec.name!r} in namespace {spec.namespace!r} belongs to a living actor. "
        f"Use ray.get_actor({spec.name!r}), another name, or get_if_exists=True.",
        spec.actor_id,
    )


def never_created(actor_id: ActorId, why: str) -> Failure:
    text = f"Actor {actor_id.hex()[:8]} was never started: {why} before it could be created."
    return Failure(FailureKind.ACTOR_DIED, text, actor_id)
