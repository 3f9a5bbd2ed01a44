"""Contenders that speak Ray's API: `cluster`, and Ray itself. Never a workload of their own."""

import importlib
from collections.abc import Callable
from typing import Any, ClassVar

from bench.workloads import CPUS, Contender, Lines, actors, objects, sessions, sizes, tasks


class RayApi(Contender):
    """A session of `module`."""

    lines: ClassVar[Lines] = tasks.LINES | actors.LINES | objects.LINES | sessions.LINES
    module: ClassVar[str]
    options: ClassVar[dict[str, Any]]

    def __init__(self, scale: float) -> None:
        super().__init__(scale)
        self.ray: Any = importlib.import_module(self.module)
        importlib.import_module(f"{self.module}.util")
        self.closing: list[Callable[[], None]] = []
        """What else `stop` has to end."""

    def start(self, **options: Any) -> None:
        given = {"num_cpus": CPUS, "resources": {objects.CUSTOM: 100}} | options
        self.ray.init(**self.options, **given)

    def stop(self) -> None:
        self.ray.shutdown()
        while self.closing:
            self.closing.pop()()

    def first_result(self) -> None:
        assert self.ray.get(tasks.small_value_of(self.ray).remote()) == b"ok"


class Cluster(RayApi):
    lines: ClassVar[Lines] = RayApi.lines | sizes.LINES
    module = "raysim"
    options: ClassVar[dict[str, Any]] = {"backend": "cluster", "log_to_driver": False}


class Ray(RayApi):
    module = "ray"
    options: ClassVar[dict[str, Any]] = {
        "address": "local",
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "error",
    }
