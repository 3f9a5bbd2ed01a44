"""`import ray`, answered with raysim. Never found unless the folder above is put on `sys.path`.

`raysim run program.py` puts it there, first, and the world gives the program's path to its workers:
so a function that imports ray in its body finds raysim on every process. `ray.x` is raysim's own
module `raysim.x`, not a second copy of it: an exception must be one class under both names.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import raysim


class _Alias(MetaPathFinder, Loader):
    """Finds `ray.x` as the module `raysim.x` that there is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("ray."):
            return None
        name = "raysim" + fullname.removeprefix("ray")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
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


sys.meta_path.insert(0, _Alias())
sys.modules["ray"] = raysim
