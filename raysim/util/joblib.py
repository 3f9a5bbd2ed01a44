"""joblib's parallel loops on a cluster: `with joblib.parallel_backend("ray"):`. Never needed without joblib."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from raysim.api.cluster import cluster_resources
from raysim.api.session import init, is_initialized
from raysim.util.multiprocessing.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from raysim.util.multiprocessing.results import AsyncResult


def register_ray() -> None:
    """Add the backend "ray" to joblib. Raises ImportError where joblib is not installed.

    `n_jobs` processes (-1: as many as the cluster has CPUs); `ray_remote_args`: options of them.
    """
    try:
        parallel = import_module("joblib.parallel")
    except ImportError as error:
        raise ImportError(
            "register_ray() needs joblib, which is not installed. Install it with: pip install joblib"
        ) from error
    parallel.register_parallel_backend("ray", _backend_class(parallel.ParallelBackendBase))


def _backend_class(base: Any) -> type:
    """The class is made when joblib is there: its base class is joblib's."""

    class RayBackend(base):  # type: ignore[misc]  # A base class that is known at run time.
        """Batches of a joblib loop as calls of a Pool."""

        supports_timeout = True
        supports_sharedmem = False
        # The result of a batch is asked for, in order; no thread calls back when it is there.
        supports_retrieve_callback = False

        def __init__(self, *args: Any, ray_remote_args: dict[str, Any] | None = None, **kw: Any):
            super().__init__(*args, **kw)
            self._remote_args = ray_remote_args
            self._pool: Pool | None = None

        def effective_n_jobs(self, n_jobs: int | None) -> int:
            if n_jobs == 0:
                raise ValueError("n_jobs == 0 in Parallel has no meaning")
            if n_jobs is None:
                return 1
            if not is_initialized():
                init()
            cpus = int(cluster_resources().get("CPU", 1))
            return max(1, cpus + 1 + n_jobs) if n_jobs < 0 else n_jobs

        def configure(
            self, n_jobs: int = 1, parallel: Any = None, **_: Any
        ) -> int:  # prefer, require and memory mapping are about one machine
            jobs = self.effective_n_jobs(n_jobs)
            self._pool = Pool(jobs, ray_remote_args=self._remote_args)
            self.parallel = parallel
            return jobs

        def terminate(self) -> None:
            if self._pool is not None:
                self._pool.terminate()
                self._pool = None

        def abort_everything(self, ensure_ready: bool = True) -> None:
            self.terminate()
            if ensure_ready:
                self.configure(self.parallel.n_jobs, self.parallel)

        def submit(self, func: Any, callback: "Callable[[Any], object]") -> "_Job":
            assert self._pool is not None, "joblib configures a backend before it uses it"
            return _Job(self._pool.apply_async(func), callback)

    return RayBackend


class _Job:
    """One batch; joblib dispatches the next one when it calls back."""

    def __init__(self, result: "AsyncResult", callback: "Callable[[Any], object]") -> None:
        self._result = result
        self._callback: Callable[[Any], object] | None = callback

    def get(self, timeout: float | None = None) -> Any:
        value = self._result.get(timeout)
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(value)
        return value
