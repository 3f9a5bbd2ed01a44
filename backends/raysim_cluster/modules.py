"""Modules of the program that its workers cannot import are pickled by value. Never those that they can.

Workers have the driver's `sys.path` as it was when the cluster started. What the program finds on paths
that it added since, or loaded from a file by hand (notebooks, test runners), exists in this process only:
functions and classes of such modules travel whole.
"""

import importlib.machinery
import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

import cloudpickle

_STANDARD: Final = tuple(
    {path for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")) if path}
)
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_OURS: Final = frozenset({"raysim", "raysim_cluster", "raysim_sim", "raysim_ray", "ray"})


class LocalModules:
    """`paths`: where the workers look for modules."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = list(paths)
        self._seen: set[str] = set()
        self._count = 0
        self._shipped: list[ModuleType] = []

    def look(self) -> None:
        """Before something is pickled: at modules that were imported since the last time."""
        if len(sys.modules) == self._count:
            return
        self._count = len(sys.modules)
        for name, module in list(sys.modules.items()):
            if name not in self._seen:
                self._seen.add(name)
                if is_of_program(name, module) and not self._importable(name, module):
                    cloudpickle.register_pickle_by_value(module)
                    self._shipped.append(module)

    def forget(self) -> None:
        """The cluster is gone; the next one's workers may find them."""
        for module in self._shipped:
            if module.__name__ in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.unregister_pickle_by_value(module)
        self._shipped.clear()

    def _importable(self, name: str, module: ModuleType) -> bool:
        """Whether a worker that imports this name gets this file."""
        found = self._find(name)
        if found is None or found.origin is None or module.__file__ is None:
            return False
        return os.path.realpath(found.origin) == os.path.realpath(module.__file__)

    def _find(self, name: str) -> ModuleSpec | None:
        parent, _, _ = name.rpartition(".")
        path: Any = self._paths
        if parent:
            package = self._find(parent)
            path = None if package is None else package.submodule_search_locations
            if path is None:
                return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        return found or _find_editable(name, path if parent else None)


def is_of_program(name: str, module: object) -> bool:
    """Whether it is neither installed, nor the standard library's, nor ours."""
    file = getattr(module, "__file__", None)
    return (
        isinstance(module, ModuleType)
        and isinstance(file, str)
        and name == module.__name__ != "__main__"
        and name.partition(".")[0] not in _OURS
        and not file.startswith(_STANDARD)
        and not any(part in file for part in _INSTALLED)
    )


def _find_editable(name: str, path: Any) -> ModuleSpec | None:
    """Of a package that is installed where it is written: every interpreter has these finders."""
    for finder in sys.meta_path:
        if getattr(finder, "__module__", "").startswith("__editable__"):
            found = finder.find_spec(name, path)
            if found is not None:
                return found
    return None
