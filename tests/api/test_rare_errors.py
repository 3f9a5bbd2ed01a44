"""Errors that few programs meet: their places among the others, what they say, and where they come from."""

import os
import pickle
import subprocess
import sys
import textwrap

import pytest

from tests.api.conftest import JUDGE, library

BASES = {
    "AuthenticationError": "RayError",
    "LocalRayletDiedError": "RayError",
    "ObjectFetchTimedOutError": "ObjectLostError",
    "OufOfBandObjectRefSerializationException": "RayError",
    "OutOfDiskError": "RayError",
    "OutOfMemoryError": "RayError",
    "PlasmaObjectNotAvailable": "RayError",
    "ReferenceCountingAssertionError": "ObjectLostError",
    "RpcError": "RayError",
    "UserCodeException": "RayError",
}


@pytest.mark.parametrize(("name", "base"), BASES.items())
def test_errors_stand_where_they_stand_in_ray(lib, name, base):
    cls = getattr(lib.exceptions, name)
    assert cls.__bases__[0].__name__ in (base, "_WithMessage")
    assert issubclass(cls, getattr(lib.exceptions, base))
    assert not issubclass(cls, lib.exceptions.RaySystemError)


def test_an_error_of_the_reference_count_is_an_assertion(lib):
    assert issubclass(lib.exceptions.ReferenceCountingAssertionError, AssertionError)


@pytest.mark.parametrize("name", ["OutOfMemoryError", "RpcError", "NodeDiedError"])
def test_an_error_that_is_its_message(lib, name):
    error = getattr(lib.exceptions, name)("too much")
    assert str(error) == error.message == "too much"


def test_an_rpc_error_has_its_code(lib):
    error = lib.exceptions.RpcError("lost", rpc_code=14)
    assert (error.message, error.rpc_code) == ("lost", 14)


@pytest.mark.parametrize("name", ["AuthenticationError", "OutOfMemoryError", "UserCodeException"])
def test_errors_survive_pickling(lib, name):
    error = getattr(lib.exceptions, name)("why")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


@pytest.fixture
def runs(tmp_path):
    path = tmp_path / "runs"

    def count():
        with path.open("a") as file:
            file.write("x")
        return len(path.read_text())

    count.path = path
    return count


def test_what_a_wrapped_error_is_about_decides_whether_it_is_retried(ray, runs):
    @ray.remote(retry_exceptions=[KeyError], max_retries=1)
    def fail(kind):
        runs()
        try:
            raise kind("inside")
        except kind as error:
            raise ray.exceptions.UserCodeException("wrapped") from error

    with pytest.raises(ray.exceptions.UserCodeException, match="wrapped"):
        ray.get(fail.remote(KeyError))
    assert runs.path.read_text() == "xx"
    with pytest.raises(ray.exceptions.UserCodeException, match="wrapped"):
        ray.get(fail.remote(OSError))
    assert runs.path.read_text() == "xxx"


OUT_OF_BAND = """
    import {ray} as ray
    from {ray} import cloudpickle
    ray.init({init})
    ref = ray.put(1)
    refused = ray.exceptions.OufOfBandObjectRefSerializationException
    try:
        cloudpickle.dumps(ref)
        print("pickled by hand")
    except refused as error:
        print("refused", ref.hex() in str(error))

    @ray.remote
    def inside(refs):
        try:
            cloudpickle.dumps(refs[0])
            return "pickled by hand"
        except refused:
            return "refused in a task"

    print(ray.get(inside.remote([ref])))
    ray.shutdown()
"""


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ("0", ["refused True", "refused in a task"]),
        ("1", ["pickled by hand", "pickled by hand"]),
    ],
)
def test_pickling_references_by_hand_can_be_forbidden(backend, allowed, said):
    """Of a process of its own: Ray reads the variable once."""
    name = library(backend).__name__
    init = (
        "address='local', include_dashboard=False" if backend == JUDGE else f"backend={backend!r}"
    )
    text = textwrap.dedent(OUT_OF_BAND).format(ray=name, init=f"{init}, num_cpus=1")
    environ = {**os.environ, "RAY_allow_out_of_band_object_ref_serialization": allowed}
    ran = subprocess.run(
        [sys.executable, "-c", text], env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[:2] == said
