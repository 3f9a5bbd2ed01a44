"""What the processes of a runtime environment see of the interpreter they share: variables, folder, modules.

While such a process runs, `os.environ`, the working folder, `sys.path` and the modules of its packages are
its own; what it changes there is still so when it runs again, and nobody else sees it. Never for processes
of the plain environment, which share all that with the driver.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType

from raysim.spec.runtime_env import expanded


class Place:
    """Of one process."""

    def __init__(self, variables: Mapping[str, str], folder: str | None, paths: list[str]) -> None:
        self.variables: Mapping[str, str] | None = variables
        """None once they are part of `environ`."""
        self.environ: dict[str, str] = {}
        """What differs from the driver's."""
        self.removed: list[str] = []
        self.folder = folder
        self.path: list[str] | None = None
        self.paths = paths
        self.modules: dict[str, ModuleType] = {}
        self.names = frozenset(name for path in paths for name in _modules_in(path))
        """Of modules, those that come from its packages."""


class Places:
    """One at a time is shown; `show(None)` puts the driver's back."""

    def __init__(self) -> None:
        self.shown: Place | None = None
        self._environ: dict[str, str] = {}
        self._folder = ""
        self._path: list[str] = []
        self._modules: dict[str, ModuleType] = {}

    def show(self, place: Place | None) -> None:
        if place is self.shown:
            return
        if self.shown is not None:
            self._leave(self.shown)
        self.shown = place
        if place is not None:
            self._enter(place)

    def _enter(self, place: Place) -> None:
        self._environ = dict(os.environ)
        os.environ.update(place.environ)
        for name in place.removed:
            os.environ.pop(name, None)
        if place.variables is not None:
            os.environ.update(expanded(place.variables, os.environ))
            place.variables = None
        if place.folder is not None:
            self._folder = os.getcwd()
            os.chdir(place.folder)
        if place.paths:
            self._path = sys.path[:]
            sys.path[:] = place.path or [*place.paths, *sys.path]
            self._modules = _take_modules(place.names)
            sys.modules.update(place.modules)

    def _leave(self, place: Place) -> None:
        own, now = self._environ, dict(os.environ)
        place.environ = {name: value for name, value in now.items() if own.get(name) != value}
        place.removed = [name for name in own if name not in now]
        for name in place.environ:
            if name not in own:
                del os.environ[name]
        os.environ.update({name: value for name, value in own.items() if now.get(name) != value})
        if place.folder is not None:
            place.folder = os.getcwd()
            os.chdir(self._folder)
        if place.paths:
            place.path = sys.path[:]
            sys.path[:] = self._path
            place.modules = _take_modules(place.names)
            sys.modules.update(self._modules)


def _take_modules(names: Iterable[str]) -> dict[str, ModuleType]:
    found = {name: one for name, one in sys.modules.items() if name.partition(".")[0] in names}
    for name in found:
        del sys.modules[name]
    return found


def _modules_in(path: str) -> list[str]:
    """Names that can be imported from this folder."""
    names = [name.partition(".")[0] for name in os.listdir(path)]
    return [name for name in names if name.isidentifier()]
