"""Which of the driver's modules its workers cannot import."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cloudpickle
import pytest

from raysim_cluster.modules import LocalModules


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Makes a module file in a folder that this process finds modules in."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str) -> Path:
        file = tmp_path / f"{name}.py"
        file.write_text("def use():\n    return 5\n")
        return file

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def shipped() -> Iterator[Callable[[list[str]], list[str]]]:
    """The modules that would travel by value to workers with this path."""
    made: list[LocalModules] = []

    def ask(path: list[str]) -> list[str]:
        modules = LocalModules(path)
        made.append(modules)
        modules.look()
        return sorted(cloudpickle.list_registry_pickle_by_value())

    yield ask
    for one in made:
        one.forget()
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_a_module_on_the_workers_path_is_imported_there(
    write: Callable[[str], Path], shipped: Callable[[list[str]], list[str]]
) -> None:
    file = write("shed_on_path")
    importlib.import_module("shed_on_path")
    assert "shed_on_path" not in shipped([str(file.parent), *sys.path])


def test_a_module_on_a_path_that_workers_lack_travels(
    write: Callable[[str], Path], shipped: Callable[[list[str]], list[str]]
) -> None:
    file = write("shed_off_path")
    importlib.import_module("shed_off_path")
    path = [one for one in sys.path if one != str(file.parent)]
    assert "shed_off_path" in shipped(path)


def test_a_module_loaded_by_hand_travels(
    write: Callable[[str], Path], shipped: Callable[[list[str]], list[str]]
) -> None:
    spec = importlib.util.spec_from_file_location("shed_by_hand", write("other_name"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shed_by_hand"] = module
    spec.loader.exec_module(module)
    assert "shed_by_hand" in shipped(sys.path)


def test_another_file_under_the_same_name_does_not_count_as_the_module(
    write: Callable[[str], Path],
    shipped: Callable[[list[str]], list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    write("shed_twice")
    importlib.import_module("shed_twice")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "shed_twice.py").write_text("def use():\n    return 6\n")
    assert "shed_twice" in shipped([str(elsewhere)])


def test_installed_modules_and_ours_never_travel(
    shipped: Callable[[list[str]], list[str]],
) -> None:
    found = {name.partition(".")[0] for name in shipped([])}
    assert not found & {"raysim", "raysim_cluster", "cloudpickle", "pytest", "json"}
