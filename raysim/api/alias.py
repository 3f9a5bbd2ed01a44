"""`ray.x` found as the module `raysim.x` that there is: one module under two names. Never a copy of it.

An exception must be one class under both names, and what a worker unpickles is named by `raysim`'s
own modules. Installed by `import ray`, where the folder `as_ray` comes first on `sys.path`.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

import raysim

AS_RAY: Final = Path(__file__).parent / "as_ray"
"""The folder in which `import ray` finds raysim. A world gives its driver's `sys.path` to its workers."""

_NAME: Final = "ray"


class _Alias(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_NAME}."):
            return None
        name = raysim.__name__ + fullname.removeprefix(_NAME)
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # It is there, and something that it needs is not.
            return None
        spec = ModuleSpec(fullname, self, is_package=hasattr(module, "__path__"))
        spec.loader_state = (module, module.__spec__)
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = spec.loader_state[0]
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        module.__spec__ = spec.loader_state[1]  # The import system put the alias's in its place.


_alias = _Alias()


def install() -> None:
    """From now on `import ray` and `import ray.x` give raysim's modules, in this process."""
    if _alias not in sys.meta_path:
        sys.meta_path.insert(0, _alias)
    sys.modules[_NAME] = raysim


def remove() -> None:
    """Modules named `ray` are again what the path says. Harmless when nothing was installed."""
    if sys.modules.get(_NAME) is not raysim:
        return
    sys.meta_path.remove(_alias)
    for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
        del sys.modules[name]
