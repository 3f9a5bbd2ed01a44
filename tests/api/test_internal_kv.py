"""Values under keys that the cluster keeps. Ray: `ray.experimental.internal_kv`."""

from importlib import import_module


def test_values_are_kept_under_keys(ray):
    kv = import_module(f"{ray.__name__}.experimental.internal_kv")
    assert kv._internal_kv_initialized()
    assert not kv._internal_kv_put("color", "red", namespace="shop")
    assert kv._internal_kv_put("color", b"blue", overwrite=False, namespace="shop")
    assert kv._internal_kv_get(b"color", namespace="shop") == b"red"
    assert kv._internal_kv_put(b"color", b"green", namespace=b"shop")
    assert kv._internal_kv_get("color", namespace="shop") == b"green"
    assert not kv._internal_kv_exists("color", namespace="other")
    kv._internal_kv_put("cost", "2", namespace="shop")
    assert sorted(kv._internal_kv_list("co", namespace="shop")) == [b"color", b"cost"]
    assert kv._internal_kv_del("color", namespace="shop") == 1
    assert kv._internal_kv_del("c", del_by_prefix=True, namespace="shop") == 1
    assert kv._internal_kv_get("cost", namespace="shop") is None


def test_tasks_and_their_driver_see_the_same(ray):
    @ray.remote
    def put(name):
        kv = import_module(f"{name}.experimental.internal_kv")
        kv._internal_kv_put("from", "task", namespace="tasks")

    ray.get(put.remote(ray.__name__))
    kv = import_module(f"{ray.__name__}.experimental.internal_kv")
    assert kv._internal_kv_get("from", namespace="tasks") == b"task"
