"""What starts of worker processes cost where several come at once."""

import raysim as ray


def spans(**network: str) -> list[float]:
    """When each of four tasks that come at once started, on a node of four cores."""
    ray.init(
        backend="sim", num_cpus=4, world={"network": {"latency": 0, "local_latency": 0, **network}}
    )
    try:
        import time

        @ray.remote
        def started() -> float:
            now = time.time()
            time.sleep(60)
            return now

        began = time.time()
        return sorted(round(at - began, 3) for at in ray.get([started.remote() for _ in range(4)]))
    finally:
        ray.shutdown()


def test_workers_start_side_by_side() -> None:
    assert spans(worker_start="3s") == [3, 3, 3, 3]


def test_starts_that_take_turns_come_one_after_another() -> None:
    assert spans(worker_start="3s", worker_start_alone="2s") == [3, 5, 7, 9]
