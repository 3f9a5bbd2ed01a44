"""Runs `worker_process_setup_hook` of a runtime environment, once in a worker. Never sets anything else up."""

import base64
import importlib
import traceback
from collections.abc import Callable
from typing import Any

import cloudpickle

from raysim.spec.runtime_env import read_env


class SetupHookFailedError(Exception):
    """The hook raised: this worker is not what its calls expect. The text has the traceback."""


def pickled_hook(hook: Callable[[], Any]) -> str:
    """The hook as a text. Raises what its pickling raises."""
    return base64.b64encode(cloudpickle.dumps(hook, protocol=5)).decode()


def run_setup_hook(env: str) -> None:
    """Harmless where the environment has none. Raises SetupHookFailedError."""
    spec = read_env(env)
    name = spec.worker_process_setup_hook
    if not name:
        return
    try:
        _load(name, spec.pickled_hook)()
    except Exception as error:
        raise SetupHookFailedError(
            f"Failed to execute the setup hook method {name} of the runtime environment: "
            f"{type(error).__name__}: {error}.\n{traceback.format_exc()}"
        ) from error


def _load(name: str, pickled: str) -> Callable[[], Any]:
    hook: Callable[[], Any]
    if pickled:
        hook = cloudpickle.loads(base64.b64decode(pickled))
        return hook
    module, _, attribute = name.rpartition(".")
    hook = getattr(importlib.import_module(module), attribute)
    return hook
