"""`ray.util.joblib`: joblib's loops on a cluster."""

from importlib import import_module

import pytest

joblib = pytest.importorskip("joblib")


@pytest.fixture(scope="module")
def registered(ray):
    import_module(f"{ray.__name__}.util.joblib").register_ray()


@pytest.fixture(scope="module")
def where(ray):
    return lambda _: ray.get_runtime_context().get_actor_id()


def test_a_loop_gives_its_results_in_order(registered):
    with joblib.parallel_config(backend="ray", n_jobs=2):
        results = joblib.Parallel()(joblib.delayed(lambda n: n * n)(n) for n in range(20))
    assert results == [n * n for n in range(20)]


def test_a_loop_runs_in_as_many_workers_as_there_are_jobs(registered, where):
    with joblib.parallel_config(backend="ray", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(where)(n) for n in range(8))
    assert len(set(found)) == 2


def test_by_default_there_is_a_job_for_every_cpu(registered):
    with joblib.parallel_config(backend="ray", n_jobs=-1):
        assert joblib.effective_n_jobs() == 4


def test_an_error_ends_the_loop(registered):
    def fail(n):
        raise KeyError(n)

    with (
        joblib.parallel_config(backend="ray", n_jobs=2),
        pytest.raises(KeyError),
    ):
        joblib.Parallel()(joblib.delayed(fail)(n) for n in range(4))


def test_options_of_the_workers(ray, registered):
    def held(_):
        return ray.get_runtime_context().get_assigned_resources()

    options = {"resources": {"shelf": 1}}
    with joblib.parallel_config(backend="ray", n_jobs=2, ray_remote_args=options):
        assert all(
            found["shelf"] == 1 for found in joblib.Parallel()([joblib.delayed(held)(0)] * 2)
        )
