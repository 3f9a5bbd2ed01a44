"""Settings of compiled graphs in this process. Never read from the environment: set them here.

Ray: `ray.dag.DAGContext`, `RAY_CGRAPH_*`.
"""

import msgspec


class DAGContext(msgspec.Struct):
    """Times in seconds; -1 waits for ever, 0 not at all. Defaults are Ray's."""

    submit_timeout: float = 10
    """Until a pass can begin."""
    get_timeout: float = 10
    """Until a pass is done."""
    teardown_timeout: float = 30
    """Accepted for programs that set it: a graph is torn down without waiting."""
    read_iteration_timeout: float = 0.1
    """Accepted likewise: whoever waits is told."""
    buffer_size_bytes: int = 1_000_000
    """Accepted likewise: a channel's values may be of any size."""
    max_inflight_executions: int = 10
    max_buffered_results: int = 1000
    overlap_gpu_communication: bool = False
    """Accepted likewise."""

    def __post_init__(self) -> None:
        if self.read_iteration_timeout > self.get_timeout:
            raise ValueError(
                f"read_iteration_timeout ({self.read_iteration_timeout}) must be less than or equal "
                f"to get_timeout ({self.get_timeout})"
            )

    @staticmethod
    def get_current() -> "DAGContext":
        """The one of this process."""
        return _current


_current = DAGContext()
