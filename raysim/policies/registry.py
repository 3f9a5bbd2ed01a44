"""The placement policies there are, by name. Never decides, never finds a class: see catalogue."""

from types import MappingProxyType
from typing import Final

from raysim.config import Config
from raysim.policies.asked import AskedOfOwners
from raysim.policies.base import Policy
from raysim.policies.catalogue import Catalogue
from raysim.policies.fgd import Fgd
from raysim.policies.fit import BestFit, DotProduct, FirstFit, WorstFit
from raysim.policies.gpus import GpuBestFit, GpuClustering, GpuDotProduct, GpuPacking
from raysim.policies.hybrid import Hybrid
from raysim.policies.load import LeastLoaded, RandomNode
from raysim.policies.locality import Delay, Locality, NearData
from raysim.policies.planning.planners import Cpop, CriticalPath, Heft, MaxMin, MinMin, Peft
from raysim.policies.queueing import (
    BatchSampling,
    ByLength,
    LateBinding,
    Omniscient,
    PowerOfD,
    Queueing,
    RandomQueue,
)
from raysim.policies.spread import Spread
from raysim.policies.stealing import Hawk, WorkStealing

_OWN: Final = (
    *(Hybrid, Spread, RandomNode, FirstFit, BestFit, WorstFit),
    *(
        DotProduct,
        LeastLoaded,
        Locality,
        Delay,
        Fgd,
        GpuBestFit,
        GpuDotProduct,
        GpuPacking,
        GpuClustering,
    ),
    *(RandomQueue, PowerOfD, BatchSampling, LateBinding, Omniscient, Hawk, WorkStealing),
    *(Heft, Cpop, Peft, MinMin, MaxMin, CriticalPath),
)

PLACEMENT: Final[Catalogue[Policy]] = Catalogue(
    "policy",
    "raysim.policies",
    "power_of_d(d=3)",
    ("pick",),
    MappingProxyType({made.name: made for made in _OWN}),
)

names = PLACEMENT.names


def create(text: str, config: Config) -> Policy:
    """A new policy, as written. Each raylet, and the GCS, has an object of its own.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    as_ray_has_it: dict[str, object] = {
        "threshold": config.scheduler_spread_threshold,
        "fraction": config.scheduler_top_k_fraction,
        "absolute": config.scheduler_top_k_absolute,
    }
    return PLACEMENT.create(text, {Hybrid.name: (Hybrid, as_ray_has_it)})


def asked_of_owners(config: Config) -> AskedOfOwners:
    """What the policy has owners do."""
    policy = create(config.policy, config)
    cutoff_ns = policy.cutoff_ns if isinstance(policy, ByLength) else None
    return AskedOfOwners(isinstance(policy, Queueing), cutoff_ns, isinstance(policy, NearData))


def queues(config: Config) -> bool:
    """Whether the policy says where a call waits, though others have room: see queueing."""
    return asked_of_owners(config).queues
