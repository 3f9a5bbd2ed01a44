"""The connection of this process to a cluster: `init`, `shutdown`, `is_initialized`. Never what runs in it."""

import atexit
import os
import platform
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from raysim.api.defaults import defaults
from raysim.api.init_options import (
    IGNORED,
    OWN,
    SIMULATED,
    address_of,
    backend_name,
    check_rest,
    init_options,
    node_options,
    nodes_of,
)
from raysim.api.isolation import ARGUMENTS as ISOLATION
from raysim.api.isolation import isolation
from raysim.api.job_arguments import DRIVER, JOB, configure_driver, job_arguments
from raysim.api.runtime_env import job_env
from raysim.api.spilling import ARGUMENT as SPILLING
from raysim.api.spilling import with_directories
from raysim.backend import Backend, NodeOptions, World, load
from raysim.exceptions import RaySystemError
from raysim.journal import Journal
from raysim.runtime.current import current, set_current
from raysim.runtime.object_ref import OUT_OF_BAND, ObjectRef
from raysim.runtime.unhandled import LOG
from raysim.spec.runtime_env import with_job

number = 0
"""Of sessions of this process as a driver: tells handles of an ended session from those of this one."""


class RayContext:
    """What `init` returns: where the cluster is. As a context manager, it ends the session."""

    def __init__(self, address_info: Mapping[str, Any]) -> None:
        self.address_info = dict(address_info)
        self.dashboard_url = ""
        self.python_version = platform.python_version()

    def __enter__(self) -> "RayContext":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutdown()

    def __repr__(self) -> str:
        return f"RayContext(address_info={self.address_info})"


class _Session:
    """This process as a driver: the world it is in, and whether that ends with it."""

    def __init__(self, world: World, backend: Backend, owned: bool) -> None:
        self.world = world
        self.backend = backend
        self.owned = owned
        self.context = RayContext(world.address_info())


class JoinableWorld:
    """A cluster of this process that `init(address=...)` joins, as a new job each time: see
    `raysim.cluster_utils`."""

    def __init__(self, world: World, nodes: list[NodeOptions]) -> None:
        self.world = world
        self.nodes = nodes
        """It was made with."""


joinable: dict[str, JoinableWorld] = {}
"""By address."""

_session: _Session | None = None


def init(
    address: str | None = None,
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    resources: Mapping[str, float] | None = None,
    labels: Mapping[str, str] | None = None,
    object_store_memory: int | None = None,
    namespace: str | None = None,
    ignore_reinit_error: bool = False,
    backend: str | None = None,
    nodes: int | Sequence[NodeOptions | Mapping[str, Any]] | None = None,
    seed: int | None = None,
    journal: Journal | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    world: Mapping[str, Any] | None = None,
    _memory: int | None = None,
    _observer: bool = False,
    _node_name: str | None = None,
    _system_config: Mapping[str, Any] | None = None,
    **rest: Any,
) -> RayContext:
    """Start a cluster and connect to it, or connect to one that runs. Ray: `ray.init`.

    `address`: `host:port` of a cluster that `raysim start` has started and that has a node on this machine, or `auto`
    for the one started last; also env RAYSIM_ADDRESS or RAY_ADDRESS. `local`: none of these. Several programs may be
    in one cluster at once, each a job of its own.

    Ray's arguments describe the head node (CPUs: this machine's; sizes in bytes). raysim's own:
    `backend` (`cluster` for real processes, `sim`; default: env RAYSIM_BACKEND, else `cluster`),
    `nodes` (a number of nodes like the head, or a list of them, the head first), `seed` and
    `world` (options of one world, `{"network": "free"}` of `sim`), `journal`. What `raysim run`
    was given on the command line wins over all of them. `runtime_env` is the job's: see
    `raysim.runtime_env.RuntimeEnv`. `_observer`: this process only looks, and is not shown as a job.

    Raises RuntimeError when already connected, unless `ignore_reinit_error`, and for unknown
    arguments; ValueError for bad values and for what is not supported; ConnectionError for an
    address where no cluster is.
    """
    check_rest(rest)
    if current() is not None:
        return _again(ignore_reinit_error)
    name = backend_name(backend)
    joined = address_of(name, address)
    found = None if joined is None else _find(joined)
    if found is not None:
        name = found.world.name
    elif joined is not None and name == SIMULATED:
        raise ConnectionError(
            f"Could not find a cluster at address {joined!r} in this process. "
            "Leave the address out to start one: a simulated cluster is part of its program."
        )
    if found is not None or (joined is not None and name in OWN):
        _refuse_described({"seed": seed, "journal": journal, "world": world})
    given = job_arguments(rest, runtime_env, namespace, submitted=name in OWN)
    job, packages, world = _job_env(name, given.runtime_env, world)
    own = name in OWN
    configure_driver(rest, given.settings.logging if own else None)
    if own:
        job = with_job(job, given.settings)
        _system_config = with_directories(_system_config, rest.get(SPILLING))
    else:
        passed_on = (*IGNORED, *DRIVER, *JOB, *ISOLATION, SPILLING)
        world = {
            **{one: rest[one] for one in passed_on if one in rest},
            **(world or {}),
        }
    if joined is not None:
        described = {
            "num_cpus": num_cpus,
            "num_gpus": num_gpus,
            "resources": resources,
            "labels": labels,
            "object_store_memory": object_store_memory,
            "nodes": nodes,
            "_system_config": _system_config,
            "_node_name": _node_name,
        }
        _refuse_described(described)
    head = node_options(
        name,
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        memory=_memory,
        resources=resources,
        labels=labels,
        object_store_memory=object_store_memory,
        name=_node_name or "",
    )
    options = init_options(
        nodes_of(name, head, nodes) if found is None else found.nodes,
        namespace=given.namespace,
        log_to_driver=given.log_to_driver,
        metadata=given.metadata,
        observer=_observer,
        isolation=isolation(rest),
        seed=seed,
        journal=journal,
        world=world,
        system_config=_system_config,
        address=joined if own else address,
        runtime_env=job,
    )
    joins = found.world if found is not None else load(name)(options)
    try:
        connected = joins.connect(options)
        if job:
            connected.prepare(job, packages)
    except BaseException:
        # Nothing of a cluster that could not be reached may stay behind.
        joins.stop() if found is None else joins.disconnect()
        raise
    if found is None and joined is not None:
        defaults.joined = joined
    return _begin(joins, connected, owned=found is None)


def _job_env(
    backend: str, given: Mapping[str, Any] | None, world: Mapping[str, Any] | None
) -> tuple[str, Mapping[str, bytes], Mapping[str, Any] | None]:
    """The job's environment, its packages, and the options of the world, of which it may be one."""
    if not given:
        return "", {}, world
    if not isinstance(given, Mapping):
        raise TypeError(f"runtime_env must be dict or RuntimeEnv, but got: {type(given)}")
    if backend not in OWN:
        return "", {}, {"runtime_env": given, **(world or {})}
    return *job_env(given), world


def _begin(world: World, backend: Backend, owned: bool) -> RayContext:
    global _session, number
    number += 1
    LOG.disabled = "RAY_IGNORE_UNHANDLED_ERRORS" in os.environ
    ObjectRef.out_of_band = os.environ.get(OUT_OF_BAND) != "0"
    _session = _Session(world, backend, owned)
    set_current(backend)  # type: ignore[arg-type]  # A CoreWorker, or what stands for one.
    atexit.register(_end)
    return _session.context


def _again(ignore: bool) -> RayContext:
    started, defaults.started = defaults.started, False
    if not (ignore or started):
        raise RuntimeError(
            "Maybe you called init twice by accident? This error can be suppressed by passing "
            "ignore_reinit_error=True, or by calling shutdown() before init()."
        )
    # In a worker process there is no world to ask; where the worker is, its context says.
    return _session.context if _session is not None else RayContext({})


def _refuse_described(described: Mapping[str, Any]) -> None:
    wrong = [name for name, value in described.items() if value is not None]
    if wrong:
        raise ValueError(
            f"When connecting to an existing cluster, {', '.join(wrong)} cannot be given: "
            "the cluster has its own."
        )


def _find(address: str | None) -> JoinableWorld | None:
    if address == "auto":
        return next(reversed(joinable.values()), None)
    return joinable.get(address or "")


def auto_init() -> Backend:
    """What `remote`, `get`, `put` and their like do without `init`. Ray: RAY_ENABLE_AUTO_CONNECT."""
    if os.environ.get("RAY_ENABLE_AUTO_CONNECT") == "0":
        raise not_started()
    init()
    backend = current()
    assert backend is not None, "init ended without a connection"
    return backend


def connected() -> Backend:
    """The connection; for what does not start a cluster by itself. Raises RaySystemError."""
    backend = current()
    if backend is None:
        raise not_started()
    return backend


def not_started() -> RaySystemError:
    return RaySystemError("raysim has not been started yet. Call init() first.")


def is_over(made: int) -> bool:
    """Whether the session of this number has ended, for this process as a driver.

    Never in simulated workers, which are of this process too, and may go on from job to job.
    """
    return made != number and current() is (None if _session is None else _session.backend)


def is_initialized() -> bool:
    """Whether this process is connected; true in tasks and actors too."""
    return current() is not None


def shutdown() -> None:
    """End the session, and the cluster if `init` started it. Harmless when there is none.

    A cluster that was joined goes on, without the job: its actors end (but detached ones, and what those
    made), its placement groups (but detached ones), and the objects of this process.
    Remote functions and actor classes work in the next session; references and handles do not.
    Raises RuntimeError inside a task or an actor: only the driver can end the session.
    """
    backend = current()
    if backend is not None and (_session is None or backend is not _session.backend):
        raise RuntimeError("shutdown() was called inside a task or an actor.")
    _end()


def _end() -> None:
    global _session
    ending, _session = _session, None
    if ending is None:
        return
    atexit.unregister(_end)
    try:
        if ending.owned:
            ending.world.stop()
        else:
            ending.world.disconnect()
    finally:
        set_current(None)


def end_world(world: World, address: str) -> None:
    """End the driver's session in a joinable world, if it has one, and then that world."""
    if current_world() is world:
        shutdown()
    joinable.pop(address, None)
    world.stop()


def current_world() -> World | None:
    """The world that this process drives, if any."""
    return _session.world if _session is not None else None
