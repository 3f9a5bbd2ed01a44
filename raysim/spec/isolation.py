"""What of a machine is kept for the cluster's own processes, by cgroups. Never makes one. Ray: resource isolation."""

import msgspec

WEIGHTS = 10_000
"""The largest `cpu.weight` of a cgroup (Linux): the whole machine's."""


class Isolation(msgspec.Struct, frozen=True):
    cgroup_path: str
    """The cgroup below which a node makes its own."""
    cpu_weight: int
    """Of the node's processes, of `WEIGHTS`; what is left is the workers'."""
    memory_bytes: int
    """That the node's processes keep."""
