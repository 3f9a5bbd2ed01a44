"""Ids as programs hold them: bytes with a class, and a layout."""

import pickle
import warnings

import pytest

SIZES = {
    "UniqueID": 28,
    "NodeID": 28,
    "WorkerID": 28,
    "FunctionID": 28,
    "ActorClassID": 28,
    "ObjectID": 28,
    "TaskID": 24,
    "PlacementGroupID": 18,
    "ActorID": 16,
    "JobID": 4,
}
kinds = pytest.mark.parametrize("kind", SIZES)
plain = pytest.mark.parametrize("kind", [name for name in SIZES if name != "ObjectID"])


@kinds
def test_size(lib, kind):
    made = getattr(lib, kind)
    assert made.size() == SIZES[kind]
    assert len(made.nil().binary()) == SIZES[kind]


@kinds
def test_nil_is_all_ones(lib, kind):
    nil = getattr(lib, kind).nil()
    assert nil.is_nil()
    assert nil.hex() == "ff" * SIZES[kind]


@kinds
def test_bytes_and_back(lib, kind):
    raw = bytes(range(SIZES[kind]))
    made = getattr(lib, kind).from_binary(raw)
    assert made.binary() == bytes(made) == raw
    assert made.hex() == raw.hex()
    assert not made.is_nil()


@plain
def test_text_names_the_class(lib, kind):
    raw = bytes(range(SIZES[kind]))
    assert repr(getattr(lib, kind)(raw)) == str(getattr(lib, kind)(raw)) == f"{kind}({raw.hex()})"


@plain
def test_equal_by_class_and_bytes(lib, kind):
    made = getattr(lib, kind)
    one, same, other = made(b"a" * SIZES[kind]), made(b"a" * SIZES[kind]), made(b"b" * SIZES[kind])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != one.binary()


def test_ids_of_two_classes_differ(lib):
    assert lib.NodeID(b"a" * 28) != lib.WorkerID(b"a" * 28)


@plain
def test_pickled(lib, kind):
    made = getattr(lib, kind)(b"a" * SIZES[kind])
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert type(again) is type(made)


@kinds
def test_wrong_number_of_bytes_is_a_value_error(lib, kind):
    with pytest.raises(ValueError, match=f"length {SIZES[kind]}, got 3"):
        getattr(lib, kind).from_binary(b"abc")


@kinds
def test_text_instead_of_bytes_is_a_type_error(lib, kind):
    with pytest.raises(TypeError, match="bytes"):
        getattr(lib, kind).from_binary("a" * SIZES[kind])


@pytest.mark.parametrize("kind", ["NodeID", "TaskID", "ActorID", "JobID", "PlacementGroupID"])
def test_hex_and_back(lib, kind):
    made = getattr(lib, kind)
    raw = bytes(range(200, 200 + SIZES[kind]))
    assert made.from_hex(raw.hex()) == made.from_hex(raw.hex().upper()) == made(raw)


@pytest.mark.parametrize("text", ["", "00", "zz" * 28], ids=["empty", "short", "no hex"])
def test_what_is_no_hex_becomes_nil(lib, text):
    assert lib.NodeID.from_hex(text).is_nil()


@pytest.mark.parametrize("kind", ["UniqueID", "NodeID", "ActorID", "PlacementGroupID", "ObjectID"])
def test_drawn_ids_differ(lib, kind):
    made = getattr(lib, kind)
    one, other = made.from_random(), made.from_random()
    assert one != other
    assert len(one.binary()) == SIZES[kind]


def test_job_ids_are_numbers(lib):
    assert lib.JobID.from_int(5).hex() == "05000000"
    assert lib.JobID.from_int(5).int() == 5
    with pytest.raises(AssertionError, match=r"2\*\*32"):
        lib.JobID.from_int(1 << 32)


def test_task_id_ends_in_those_of_its_actor_and_job(lib):
    task = lib.TaskID(b"12345678" + b"abcdefghijkl" + b"\1\0\0\0")
    assert task.actor_id() == lib.ActorID(b"abcdefghijkl\1\0\0\0")
    assert task.actor_id().job_id == task.job_id() == lib.JobID.from_int(1)


def test_driver_counts_as_a_task_of_no_actor(lib):
    task = lib.TaskID.for_driver_task(lib.JobID.from_int(3))
    assert task.hex() == "ff" * 20 + "03000000"


def test_hash_for_shards_is_of_the_bytes(lib):
    assert lib.NodeID(b"1" * 28).redis_shard_hash() == 1819244676088962098
    assert lib.JobID.from_int(1).redis_shard_hash() == 17666132492028397833
    assert lib.ObjectRef.from_binary(b"a" * 28).redis_shard_hash() == 5121548673808443941


def test_object_id_is_the_reference_class(lib):
    assert lib.ObjectID is lib.ObjectRef


def test_reference_knows_its_task_and_job(ray):
    @ray.remote
    def task_id():
        return ray.get_runtime_context().get_task_id()

    ref = task_id.remote()
    assert ref.task_id() == ray.TaskID.from_hex(ray.get(ref))
    assert ref.binary()[:24] == ref.task_id().binary()
    assert ref.job_id() == ref.task_id().job_id()
    assert ref.job_id().hex() == ray.get_runtime_context().get_job_id()


def test_reference_of_an_actor_call_knows_the_actor(ray):
    @ray.remote
    class Who:
        def am_i(self):
            return ray.get_runtime_context().get_actor_id()

    ref = Who.remote().am_i.remote()
    assert ref.task_id().actor_id() == ray.ActorID.from_hex(ray.get(ref))


def test_reference_from_bytes_counts_as_one_more(ray):
    first = ray.put("value")
    second = ray.ObjectRef.from_binary(first.binary())
    assert second == first
    assert hash(second) == hash(first)
    del first
    assert ray.get(second, timeout=60) == "value"


def test_reference_nobody_made_cannot_be_passed(ray):
    @ray.remote
    def same(x):
        return x

    with pytest.raises(ValueError, match="known"):
        ray.get(same.remote(ray.ObjectRef.from_random()))
    with pytest.raises(ValueError, match="known"):
        ray.put([ray.ObjectRef.from_random()])


def test_ids_by_the_old_names_warn(ray):
    context = ray.get_runtime_context()
    with pytest.warns(DeprecationWarning, match="get_job_id"):
        job = context.job_id
    with pytest.warns(DeprecationWarning, match="get_node_id"):
        node = context.node_id
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        everything = context.get()
    assert any("get_xxx_id" in str(one.message) for one in warned)
    assert job == ray.JobID.from_hex(context.get_job_id())
    assert node == ray.NodeID.from_hex(context.get_node_id())
    assert everything == {"job_id": job, "node_id": node, "namespace": context.namespace}


def test_driver_has_no_task_or_actor_id_by_the_old_names(ray):
    context = ray.get_runtime_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(AssertionError, match="worker"):
            _ = context.task_id
        with pytest.raises(AssertionError, match="worker"):
            _ = context.actor_id


def test_ids_of_tasks_and_actors_by_the_old_names(ray):
    def seen():
        context = ray.get_runtime_context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return context.get(), context.task_id, context.actor_id

    @ray.remote
    class Who:
        def am_i(self):
            return seen()

    task = ray.remote(seen).remote()
    everything, task_id, actor_id = ray.get(task)
    assert (task_id, actor_id) == (task.task_id(), None)
    assert sorted(everything) == ["job_id", "namespace", "node_id", "task_id"]
    who = Who.remote()
    call = who.am_i.remote()
    everything, task_id, actor_id = ray.get(call)
    assert task_id == everything["task_id"] == call.task_id()
    assert actor_id == everything["actor_id"] == call.task_id().actor_id()


def test_numbers_of_what_a_process_is(lib):
    assert (lib.SCRIPT_MODE, lib.WORKER_MODE) == (0, 1)
