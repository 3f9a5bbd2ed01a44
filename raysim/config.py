"""Every knob of the protocol, with its unit and its source. Never read from the environment: worlds do that."""

import msgspec

MS = 1_000_000
"""Nanoseconds in a millisecond."""


class Config(msgspec.Struct, frozen=True, gc=False):
    """Defaults are Ray's where Ray has the knob."""

    max_inline_bytes: int = 100 * 1024
    """Bytes up to which a value travels in messages instead of the store. Ray: `max_direct_call_object_size`."""

    chunk_bytes: int = 5 * 1024 * 1024
    """Bytes of one part of an object on its way between nodes. Ray: `object_manager_default_chunk_size`."""

    chunks_in_flight: int = 4
    """Chunks asked for ahead in one pull. Ours: covers 20 MiB of delay times bandwidth."""

    health_check_period_ns: int = 3_000 * MS
    """Nanoseconds between two checks of a node. Ray: `health_check_period_ms`."""

    health_check_timeout_ns: int = 10_000 * MS
    """Nanoseconds until one check counts as failed. Ray: `health_check_timeout_ms`."""

    health_check_failure_threshold: int = 5
    """Failed checks in a row until a node is dead. Ray: `health_check_failure_threshold`."""

    resource_report_period_ns: int = 100 * MS
    """Nanoseconds between two resource reports, at least. Ray: `raylet_report_resources_period_milliseconds`."""

    node_watch_keep_ns: int = 10_000 * MS
    """Nanoseconds that a raylet goes on watching the other nodes after it last had to choose one. Ours."""

    request_retry_ns: int = 1_000 * MS
    """Nanoseconds until an unanswered request to GCS or raylet is sent again. Ours."""

    max_spillback_hops: int = 8
    """Raylets that may send one lease request on before it queues where it is. Ours (Ray: PR 16488)."""

    scheduler_spread_threshold: float = 0.5
    """Utilisation below which nodes count as equally good. Ray: `scheduler_spread_threshold`."""

    scheduler_top_k_fraction: float = 0.2
    """Part of the nodes among which the hybrid policy draws. Ray: `scheduler_top_k_fraction`."""

    scheduler_top_k_absolute: int = 1
    """Least number of nodes to draw among. Ray: `scheduler_top_k_absolute`."""

    policy: str = "hybrid"
    """The placement policy, as written: `spread`, `power_of_d(d=3)`, `module:Class` (`raysim.policies`). Ours."""

    queue: str = "fifo"
    """The order of the queue, as written: `sjf`, `easy`, `priority(preempt=true)`, `module:Class`
    (`raysim.policies.orders`). Ours."""

    eviction: str = "lru"
    """Which object goes first where a store is short of room, as written: `gdsf`, `largest_first`, `module:Class`
    (`raysim.policies.eviction`). Ours."""

    locality_aware_leasing: bool = True
    """Whether a lease is asked for where most bytes of the arguments are. Ray: `locality_aware_leasing_enabled`."""

    max_pending_lease_requests: int = 10
    """Lease requests of one scheduling class under way at one owner.
    Ray: `max_pending_lease_requests_per_scheduling_category`."""

    push_window_ns: int = 1 * MS
    """Nanoseconds of work pushed ahead on a lease, by the moving average of the tasks' time. Ours (measured)."""

    push_window_max: int = 256
    """Tasks pushed ahead on a lease, at most. Ours (measured)."""

    idle_lease_keep_ns: int = 50 * MS
    """Nanoseconds that an owner keeps a lease with nothing to do, unless it is revoked. Ours."""

    worker_start_timeout_ns: int = 60_000 * MS
    """Nanoseconds until a worker that does not register is given up. Ray: `worker_register_timeout_seconds`."""

    idle_worker_keep_ns: int = 1_000 * MS
    """Nanoseconds that a worker above the soft limit may idle. Ray: `idle_worker_killing_time_threshold_ms`."""

    worker_soft_limit: int = -1
    """Idle workers kept; -1: as many as the node has CPUs. Ray: `num_workers_soft_limit`."""

    store_full_timeout_ns: int = 10_000 * MS
    """Nanoseconds that a request for room in a full object store waits until it is refused. Ours."""

    seal_grace_ns: int = 50 * MS
    """Nanoseconds that a request for an object which is not in the store waits for a seal that it overtook. Ours."""

    argument_full_timeout_ns: int = 1_000 * MS
    """Nanoseconds that an argument waits for room in a full object store until its call lets go of the others. Ours."""

    fetch_fail_timeout_ns: int = 600_000 * MS
    """Nanoseconds that a call waits in all for room for its arguments. Ray: `fetch_fail_timeout_milliseconds`."""

    automatic_object_spilling_enabled: bool = True
    """Whether objects go to disk when the store is short of room. Ray: `automatic_object_spilling_enabled`."""

    object_spilling_threshold: float = 0.8
    """Part of the store in use above which objects are written to disk, for when its room is needed.
    Ray: `object_spilling_threshold`."""

    min_spilling_size: int = 100 * 1024 * 1024
    """Bytes of one spilled file, at least, or a quarter of the store where that is less; 0: each object has its
    own. Ray: `min_spilling_size`."""

    max_fused_object_count: int = 2_000
    """Number of objects in one spilled file, at most. Ray: `max_fused_object_count`."""

    max_io_workers: int = 4
    """Number of spilled files that are written at a time. Ray: `max_io_workers`."""

    local_fs_capacity_threshold: float = 0.95
    """Part of the disk in use above which nothing is spilled to it. Ray: `local_fs_capacity_threshold`."""

    object_spilling_directories: tuple[str, ...] = ()
    """Folders for spilled files, taken in turn; none: the session's. Ray: `object_spilling_config`."""

    object_spilling_quota_bytes: int = 0
    """Bytes that the spilled files of one node may have in all; 0: what its disk has room for. Ours."""

    spill_retry_ns: int = 1_000 * MS
    """Nanoseconds after the disk took no file until the next one is tried. Ours."""

    spill_stuck_ns: int = 60_000 * MS
    """Nanoseconds after which nobody waits for a file that is still being written. Ours."""

    infeasible_warning_period_ns: int = 30_000 * MS
    """Nanoseconds between two warnings that no node could ever run something; 0: never. Ours (Ray: about 35 s)."""

    task_history: int = 200_000
    """Ended tasks, attempt by attempt, that their owner remembers for people who ask: 70 bytes each.
    Ours (Ray, for the whole cluster: `task_events_max_num_task_in_gcs`, 100,000)."""

    gcs_history: int = 10_000
    """Of the past, the latest that the GCS remembers: dead actors (8 KB each), removed placement groups, ended
    processes, their spans, ended jobs, dead nodes, events. Ray: 1,000 nodes (`maximum_gcs_dead_node_cached_count`),
    100,000 actors (`maximum_gcs_destroyed_actor_cached_count`), groups and jobs for good."""

    package_keep_ns: int = 600_000 * MS
    """Nanoseconds that the GCS keeps a package which nobody needs, after it was last brought or fetched.
    Ray: `RAY_RUNTIME_ENV_TEMPORARY_REFERENCE_EXPIRATION_S`."""

    rotation_max_bytes: int = 32 * 1024 * 1024
    """Bytes of a log file of a worker, node or GCS, after which another one is begun; 0: any number.
    Ours (Ray: `RAY_ROTATION_MAX_BYTES`, 512 MiB)."""

    rotation_backup_count: int = 5
    """Number of log files that are kept of those that were full, at least one. Ray: `RAY_ROTATION_BACKUP_COUNT`."""
    record_ref_creation_sites: bool = False
    """Whether each process remembers where its program made each reference: some microseconds a call or put, and
    100 bytes each. Ray: `record_ref_creation_sites`."""

    memory_usage_threshold: float = 0.95
    """Part of a node's memory above which a worker ends to free some. Ray: `memory_usage_threshold`."""

    memory_monitor_refresh_ns: int = 250 * MS
    """Nanoseconds between two looks at a node's memory; 0: never. Ray: `memory_monitor_refresh_ms`."""

    memory_limit_bytes: int = 0
    """Bytes that count as a node's memory, of which only workers use any; 0: what the machine has. Ours."""

    task_oom_retries: int = -1
    """Runs after one that ran out of memory, of a task that has any retries; -1 for ever. Ray's."""

    task_oom_retry_delay_ns: int = 2_000 * MS
    """Nanoseconds until the first of them; each is twice the last. Ray: `task_oom_retry_delay_base_ms`."""

    default_max_retries: int = 3
    """Retries of a task after system failures. Ray: `max_retries`."""

    actor_exit_grace_ns: int = 30_000 * MS
    """Nanoseconds that an actor out of scope, or on a node that drains, has to finish its calls. Ray: 30 s."""

    actor_move_notice_ns: int = 100 * MS
    """Nanoseconds from when callers are told that an actor moves until it is ended. Ours."""
