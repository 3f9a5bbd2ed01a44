"""The package that users import."""

import subprocess
import sys
from importlib import import_module

import pytest

import raysim


def test_every_name_is_there():
    for name in raysim.__all__:
        assert getattr(raysim, name) is not None
    assert set(raysim.__all__) <= set(dir(raysim))


def test_homes_match_the_names():
    """A name that is imported late must be offered, and typed, as well."""
    assert set(raysim._HOMES) <= set(raysim.__all__)
    for name, home in raysim._HOMES.items():
        assert getattr(import_module(home), name) is getattr(raysim, name)


def test_unknown_name():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = raysim.nonsense


def test_submodules_need_no_import_of_their_own():
    assert raysim.exceptions.RayError
    assert raysim.cluster_utils.Cluster


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import raysim", ["msgspec", "cloudpickle", "raysim.api"]),
        (
            "import raysim as ray; ray.remote; ray.init; ray.get",
            ["click", "rich", "pydantic", "numpy", "simpy", "importlib.metadata"],
        ),
    ],
    ids=["package", "api"],
)
def test_import_is_light(program, unwanted):
    code = f"import sys; {program}; print(*[m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
