"""What calls ask for: fixed-point resources, under a bundle's names where they run in one. Never a group's check."""

from raysim.backend import ActorOptions, TaskOptions
from raysim.spec.placement_group import in_group
from raysim.spec.resources import CPU, GPU, MEMORY, OBJECT_STORE_MEMORY, UNITS, Resources, fixed
from raysim.spec.task import InBundle, Strategy


def task_resources(options: TaskOptions) -> Resources:
    """Raises ValueError for several GPUs that are no whole ones."""
    _check_gpus(options.num_gpus)
    wanted = dict(options.resources)
    wanted[CPU] = options.num_cpus
    wanted[GPU] = options.num_gpus
    wanted[MEMORY] = options.memory
    return fixed(wanted)


def actor_resources(options: ActorOptions) -> tuple[Resources, Resources]:
    """What placing needs, and what living holds (Ray: 1 and 0 CPUs unless anything is given)."""
    extra = dict(options.resources or {})
    if options.object_store_memory:
        extra[OBJECT_STORE_MEMORY] = options.object_store_memory
    if options.num_cpus is None and not options.num_gpus and not options.resources:
        memory = fixed({**extra, MEMORY: options.memory})
        return {CPU: UNITS, **memory}, memory
    extra[CPU] = 1 if options.num_cpus is None else options.num_cpus
    _check_gpus(options.num_gpus or 0)
    extra[GPU] = options.num_gpus or 0
    extra[MEMORY] = options.memory
    held = fixed(extra)
    return held, held


def placed(need: Resources, strategy: Strategy) -> Resources:
    """What to ask a node for."""
    if isinstance(strategy, InBundle):
        return in_group(need, strategy.group_id, strategy.index)
    return need


def _check_gpus(num_gpus: float) -> None:
    """Raises ValueError: a part of a GPU is one GPU's, and several are whole ones (Ray)."""
    if num_gpus > 1 and num_gpus != int(num_gpus):
        raise ValueError(
            f"GPU resource quantities >1 must be whole numbers, but num_gpus={num_gpus}. Ask for "
            f"num_gpus={int(num_gpus)} or {int(num_gpus) + 1}."
        )
