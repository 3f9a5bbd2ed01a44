"""What `init` was asked for, checked, with defaults filled in. Never starts anything: see session."""

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from raysim.api import spilling
from raysim.api.defaults import defaults
from raysim.api.isolation import ARGUMENTS as ISOLATION
from raysim.api.job_arguments import DRIVER, JOB
from raysim.backend import InitOptions, NodeOptions
from raysim.config import MS, Config
from raysim.journal import Journal
from raysim.policies import create
from raysim.policies.eviction import create_eviction
from raysim.policies.orders import create_order
from raysim.spec.isolation import Isolation
from raysim.spec.labels import check_labels

DEFAULT_BACKEND = "cluster"
SIMULATED = "sim"

OWN = (SIMULATED, DEFAULT_BACKEND)
"""Backends that run raysim's protocol: Ray's arguments are ours to read."""

ADDRESS_VARIABLES = ("RAYSIM_ADDRESS", "RAY_ADDRESS")
"""Name the cluster that a program joins which does not say where it runs."""

ROTATION = {
    "rotation_max_bytes": ("RAYSIM_ROTATION_MAX_BYTES", "RAY_ROTATION_MAX_BYTES"),
    "rotation_backup_count": ("RAYSIM_ROTATION_BACKUP_COUNT", "RAY_ROTATION_BACKUP_COUNT"),
}
"""Fields of `Config`, and the variables that say them, of which the first counts."""

CALL_SITES = ("RAYSIM_RECORD_CALL_SITES", "RAY_record_ref_creation_sites")
"""Have processes remember where references are made, where one of them is 1."""

SIMULATED_MEMORY_PER_CPU = 4 * 1024**3
"""Bytes of the resource `memory` a simulated node has for each CPU, when not given. Ours: what
general-purpose machines of the large clouds have."""

MEMORY_SHARE = 0.7
"""Of this machine's memory that is offered as the resource `memory`. Ray: what is left beside the
object store's 30 %."""

IGNORED = (
    "dashboard_host",
    "dashboard_port",
    "include_dashboard",
    "_metrics_export_port",
    "_node_ip_address",
    "_plasma_directory",
    "_redis_password",
    "_redis_username",
    "_skip_env_hook",
    "_temp_dir",
)
"""Ray's arguments that change nothing a program can see in raysim's own worlds."""

UNSUPPORTED = (
    "proxy_server_url",
    "_tracing_startup_hook",
    "_driver_object_store_memory",
)
"""Ray's arguments that raysim refuses when they are set."""

KNOWN = (*IGNORED, *UNSUPPORTED, *JOB, *DRIVER, *ISOLATION, spilling.ARGUMENT, "local_mode")
"""Ray's arguments that are no parameters of raysim's `init`."""


def backend_name(given: str | None) -> str:
    """The command line's, the program's, env RAYSIM_BACKEND, or real processes."""
    return defaults.backend or given or os.environ.get("RAYSIM_BACKEND") or DEFAULT_BACKEND


def address_of(backend: str, given: str | None) -> str | None:
    """Of the cluster to join: the program's, else the environment's where real processes run. None: start one.

    Ray joins the cluster that was started last on this machine, too, where nothing is said. Here that is `auto`.
    """
    if given in (None, "auto") and backend == DEFAULT_BACKEND:
        found = (os.environ.get(variable) for variable in ADDRESS_VARIABLES)
        given = next((address for address in found if address), given)
    return None if given == "local" else given


def check_rest(rest: Mapping[str, Any]) -> None:
    """Raises RuntimeError for arguments that Ray does not have, ValueError for those not supported."""
    unknown = [name for name in rest if name not in KNOWN]
    if unknown:
        raise RuntimeError(f"Unknown keyword argument(s): {', '.join(unknown)}")
    if rest.get("local_mode"):
        raise RuntimeError("local_mode is not supported. For one process, use backend='sim'.")
    for name, value in rest.items():
        if name in UNSUPPORTED and value:
            raise ValueError(f"init({name}=...) is not supported by raysim yet. Leave it out.")


def node_options(
    backend: str,
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    memory: int | None = None,
    resources: Mapping[str, float] | None = None,
    labels: Mapping[str, str] | None = None,
    object_store_memory: int | None = None,
    name: str = "",
) -> NodeOptions:
    """One node, as this machine (or, simulated, one like it) would be. Sizes in bytes."""
    cpus = float(len(os.sched_getaffinity(0)) if num_cpus is None else num_cpus)
    check_labels(labels or {})
    quantities = {"num_cpus": cpus, "num_gpus": num_gpus or 0, **(resources or {})}
    for what, quantity in quantities.items():
        if quantity < 0:
            raise ValueError(f"A node cannot have {what}={quantity}.")
    return NodeOptions(
        num_cpus=cpus,
        num_gpus=num_gpus or 0,
        memory=_memory(backend, cpus) if memory is None else memory,
        resources=dict(resources or {}),
        labels=dict(labels or {}),
        object_store_memory=object_store_memory,
        name=name,
    )


def _memory(backend: str, cpus: float) -> int:
    if backend == SIMULATED:
        return int(cpus * SIMULATED_MEMORY_PER_CPU)
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)


def nodes_of(
    backend: str, head: NodeOptions, nodes: int | Sequence[NodeOptions | Mapping[str, Any]] | None
) -> list[NodeOptions]:
    """All nodes, the head first: the command line's, a number like the head, or a list."""
    if defaults.nodes is not None:
        return list(defaults.nodes)
    if nodes is None:
        return [head]
    if isinstance(nodes, int):
        if nodes < 1:
            raise ValueError(f"A cluster has at least one node, not {nodes}.")
        return [head] * nodes
    if not nodes:
        raise ValueError("A cluster has at least one node: nodes=[] has none.")
    return [n if isinstance(n, NodeOptions) else node_options(backend, **n) for n in nodes]


def init_options(
    nodes: list[NodeOptions],
    *,
    namespace: str | None = None,
    seed: int | None = None,
    journal: Journal | None = None,
    world: Mapping[str, Any] | None = None,
    system_config: Mapping[str, Any] | None = None,
    address: str | None = None,
    runtime_env: str = "",
    shared: bool = False,
    log_to_driver: bool = True,
    isolation: Isolation | None = None,
    metadata: Mapping[str, str] | None = None,
    observer: bool = False,
) -> InitOptions:
    seeds = (defaults.seed, seed, 0)
    return InitOptions(
        nodes=nodes,
        address=address,
        namespace=namespace or "",
        config=_with_policy(config_of(system_config)),
        seed=next(s for s in seeds if s is not None),
        entrypoint=defaults.entrypoint or " ".join(sys.argv),
        journal=defaults.journal or journal,
        runtime_env=runtime_env,
        shared=shared,
        log_to_driver=log_to_driver,
        isolation=isolation,
        metadata=dict(metadata or {}),
        observer=observer,
        world={**(world or {}), **defaults.world},
    )


def _with_policy(config: Config) -> Config:
    """Raises ValueError where there is no such policy or order: here, not in the process of a node."""
    if defaults.policy is not None:
        config = msgspec.structs.replace(config, policy=defaults.policy)
    if defaults.queue is not None:
        config = msgspec.structs.replace(config, queue=defaults.queue)
    if defaults.eviction is not None:
        config = msgspec.structs.replace(config, eviction=defaults.eviction)
    create(config.policy, config)
    create_order(config.queue)
    create_eviction(config.eviction)
    return config


def _of_environment() -> dict[str, int]:
    """Raises ValueError for what is no number."""
    found: dict[str, int] = {}
    if any(os.environ.get(name, "").lower() in ("1", "true") for name in CALL_SITES):
        found["record_ref_creation_sites"] = True
    for field, names in ROTATION.items():
        for name in reversed(names):
            if text := os.environ.get(name, "").strip():
                if not text.isdecimal():
                    raise ValueError(f"{name} is {text!r}, and no whole number from 0 on.")
                found[field] = int(text)
    return found


def config_of(given: Mapping[str, Any] | None) -> Config:
    """`_system_config`: fields of `raysim.config.Config`, Ray's names with milliseconds, `object_spilling_config`.

    What it does not say may be said by the variables of `ROTATION` and `CALL_SITES`. Raises TypeError for what is no
    dict or has a wrong type, ValueError for an unknown name.
    """
    changes: dict[str, Any] = _of_environment()
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise TypeError("The _system_config must be a dict.")
    given = spilling.with_directories(given) or {}
    fields = Config.__struct_fields__
    for name, value in given.items():
        in_ns = name.removesuffix("_milliseconds").removesuffix("_ms") + "_ns"
        if name in fields:
            changes[name] = value
        elif in_ns in fields:
            changes[in_ns] = round(value * MS)
        else:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"_system_config has no {name!r}.{hint}")
    try:
        return msgspec.convert({**msgspec.structs.asdict(Config()), **changes}, Config)
    except msgspec.ValidationError as error:
        raise TypeError(f"_system_config: {error}") from error
