"""Who is running, asked of Ray when a fact is wanted: some of them cost a question to the GCS. Never cached."""

import os
import warnings

import ray


class RayContextInfo:
    """The fields of `raysim.backend.ContextInfo`, each found when it is read."""

    def __init__(self) -> None:
        self._context = ray.get_runtime_context()

    @property
    def is_driver(self) -> bool:
        return bool(self._context.worker.mode != ray.WORKER_MODE)

    @property
    def job_id(self) -> str:
        return str(self._context.get_job_id())

    @property
    def node_id(self) -> str:
        return str(self._context.get_node_id())

    @property
    def worker_id(self) -> str:
        return str(self._context.get_worker_id())

    @property
    def task_id(self) -> str | None:
        return None if self.is_driver else self._context.get_task_id()

    @property
    def task_name(self) -> str | None:
        return None if self.is_driver else self._context.get_task_name()

    @property
    def function_name(self) -> str | None:
        return None if self.is_driver else self._context.get_task_function_name()

    @property
    def actor_id(self) -> str | None:
        return None if self.is_driver else self._context.get_actor_id()

    @property
    def actor_name(self) -> str | None:
        return self._context.get_actor_name() if self.actor_id is not None else None

    @property
    def namespace(self) -> str:
        return str(self._context.namespace)

    @property
    def assigned_resources(self) -> dict[str, float]:
        return {} if self.is_driver else self._context.get_assigned_resources()

    @property
    def accelerators(self) -> dict[str, list[str]]:
        found = {} if self.is_driver else self._context.get_accelerator_ids()
        return {name: list(map(str, ids)) for name, ids in found.items() if ids}

    @property
    def runtime_env(self) -> str:
        return str(self._context.get_runtime_env_string())

    @property
    def placement_group_id(self) -> str | None:
        found: str | None = self._context.get_placement_group_id()
        return found

    @property
    def captures(self) -> bool:
        return bool(self._context.should_capture_child_tasks_in_placement_group)

    @property
    def is_canceled(self) -> bool:
        return not self.is_driver and bool(self._context.is_canceled())

    @property
    def is_async(self) -> bool:
        return not self.is_driver and bool(
            self._context.worker.core_worker.current_actor_is_asyncio()
        )

    @property
    def session_name(self) -> str:
        return str(self._context.get_session_name())

    @property
    def session_dir(self) -> str:
        return os.path.join(self._context.get_temp_dir(), self.session_name)

    @property
    def gcs_address(self) -> str:
        return str(self._context.gcs_address)

    @property
    def attempt(self) -> int:
        """Raises AttributeError: Ray does not tell a task which attempt it is."""
        raise AttributeError("Ray does not tell a task which attempt it is.")

    @property
    def was_reconstructed(self) -> bool:
        if self.actor_id is None:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray asks itself in a way that it warns of.
            return bool(self._context.was_current_actor_reconstructed)
