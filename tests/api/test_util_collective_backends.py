"""Backends of collective operations that a program registers, and processes with several tensors."""

from importlib import import_module

import pytest

numpy = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def col(ray):
    return import_module(f"{ray.__name__}.util.collective")


@pytest.fixture(scope="module")
def doubling(ray, col):
    """A backend that multiplies what an allreduce is given by the number of ranks."""
    base = import_module(f"{col.__name__}.collective_group.base_collective_group").BaseGroup

    class Doubling(base):
        left = 0

        @classmethod
        def backend(cls):
            return "DOUBLING"

        @classmethod
        def check_backend_availability(cls):
            return True

        def allreduce(self, tensor, allreduce_options=None):
            for one in tensor:
                one *= self.world_size

        def reduce(self, tensor, reduce_options=None):
            tensor[0][:] = reduce_options.root_rank, reduce_options.reduceOp.value

        def broadcast(self, tensor, broadcast_options=None):
            tensor[0][:] = broadcast_options.root_rank

        def allgather(self, tensor_list, tensor, allgather_options=None):
            for one in tensor_list[0]:
                one[:] = tensor[0]

        def reducescatter(self, tensor, tensor_list, reducescatter_options=None):
            tensor[0][:] = tensor_list[0][self.rank]

        def barrier(self, barrier_options=None):
            raise KeyError(self.group_name)

        def send(self, tensor, send_options=None):
            raise KeyError(send_options.dst_rank)

        def recv(self, tensor, recv_options=None):
            tensor[0][:] = recv_options.src_rank

        def destroy_group(self):
            type(self).left += 1

    return Doubling


@pytest.fixture(scope="module")
def member(ray, col, doubling):
    name = col.__name__

    @ray.remote(num_cpus=0)
    class Member:
        def call(self, what, *args):
            return what(import_module(name), *args)

        def register(self, backend="doubling"):
            import_module(name).register_collective_backend(backend, doubling)

    return Member


@pytest.fixture
def pair(ray, member):
    """Two ranks of a group of the backend, each joined by itself."""
    actors = [member.remote() for _ in range(2)]
    ray.get([one.register.remote() for one in actors])
    ray.get(
        [
            one.call.remote(lambda col, rank: col.init_collective_group(2, rank, "DOUBLING"), rank)
            for rank, one in enumerate(actors)
        ]
    )
    return actors


def test_operations_go_to_the_registered_class(ray, pair):
    def everything(col):
        value = numpy.array([3.0, 4.0])
        col.allreduce(value)
        found = [value.tolist()]
        col.reduce(value, 1)
        found.append(value.tolist())
        col.broadcast(value, 1)
        found.append(value.tolist())
        parts = [numpy.zeros(2), numpy.ones(2)]
        col.reducescatter(value, parts)
        found.append(value.tolist())
        col.allgather(parts, value)
        return found, [part.tolist() for part in parts]

    assert ray.get(pair[1].call.remote(everything)) == (
        [[6.0, 8.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]],
        [[1.0, 1.0], [1.0, 1.0]],
    )


def test_what_the_class_raises_is_what_the_caller_gets(ray, pair):
    with pytest.raises(KeyError, match="default"):
        ray.get(pair[0].call.remote(lambda col: col.barrier()))
    with pytest.raises(KeyError, match="1"):
        ray.get(pair[0].call.remote(lambda col: col.send(numpy.zeros(1), 1)))


def test_arguments_are_checked_before_the_class_gets_them(ray, pair):
    for what, error in (
        (lambda col: col.broadcast(numpy.zeros(1), 2), ValueError),
        (lambda col: col.send(numpy.zeros(1), 0), RuntimeError),
        (lambda col: col.allreduce("x"), RuntimeError),
        (lambda col: col.allgather([numpy.zeros(1)], numpy.zeros(1)), RuntimeError),
    ):
        with pytest.raises(error, match=r"."):
            ray.get(pair[0].call.remote(what))


def test_leaving_a_group_is_told_to_the_class(ray, pair):
    def leave(col):
        kind = type(col.get_group_handle())
        before = kind.left
        col.destroy_collective_group()
        return kind.left - before, col.is_group_initialized("default")

    assert ray.get(pair[0].call.remote(leave)) == (1, False)


def test_a_driver_may_declare_a_group_before_its_actors_register(ray, col, member, doubling):
    if not col.is_backend_available("LATER"):
        col.register_collective_backend("later", doubling)
    actors = [member.remote() for _ in range(2)]
    col.create_collective_group(actors, 2, [1, 0], backend="LATER", group_name="declared")

    def reduce(col):
        value = numpy.array([5.0])
        col.allreduce(value, "declared")
        return value[0], col.get_rank("declared"), col.get_collective_group_size("declared")

    ray.get([one.register.remote("later") for one in actors])
    assert ray.get([one.call.remote(reduce) for one in actors]) == [(10.0, 1, 2), (10.0, 0, 2)]


def test_a_process_registers_a_name_once(ray, member, doubling):
    actor = member.remote()
    ray.get(actor.register.remote("once"))
    with pytest.raises(ValueError, match="already registered"):
        ray.get(actor.register.remote("ONCE"))
    assert ray.get(
        actor.call.remote(
            lambda col: (col.is_backend_available("once"), col.is_backend_available("x"))
        )
    ) == (True, False)


def test_other_classes_are_no_backends(col):
    with pytest.raises(TypeError, match="BaseGroup"):
        col.register_collective_backend("wrong", dict)


def test_a_backend_that_nobody_registered_is_refused(ray, col, member):
    with pytest.raises((ValueError, RuntimeError), match=r"NOBODY|nobody"):
        col.create_collective_group([member.remote()], 1, [0], backend="nobody")


# --- several tensors of one process -----------------------------------------------------------


@pytest.fixture
def ranks(ray, col, member, backend, request):
    """Calls `what(collective, rank, group)` on two ranks."""
    if backend == "judge":
        pytest.skip("Ray's operations on several tensors need GPUs")
    actors = [member.remote() for _ in range(2)]
    name = request.node.name
    col.create_collective_group(actors, 2, [0, 1], "gloo", name)
    yield lambda what: ray.get(
        [one.call.remote(what, rank, name) for rank, one in enumerate(actors)], timeout=60
    )
    ray.get([one.call.remote(lambda col: col.destroy_collective_group(name)) for one in actors])
    col.destroy_collective_group(name)


def two(rank, size=2):
    """The tensors of a rank: filled with 1 and 2, or with 3 and 4."""
    return [numpy.full(size, 2.0 * rank + index + 1) for index in range(2)]


def values(tensors):
    return [sorted(set(tensor.tolist())) for tensor in tensors]


@pytest.mark.parametrize("size", [2, 30_000])
def test_allreduce_multigpu(ranks, size):
    def run(col, rank, group):
        tensors = two(rank, size)
        assert col.allreduce_multigpu(tensors, group) is None
        return values(tensors)

    assert ranks(run) == [[[10.0], [10.0]]] * 2


def test_reduce_multigpu_changes_one_tensor(ranks):
    def run(col, rank, group):
        tensors = two(rank)
        col.reduce_multigpu(tensors, 1, 0, group)
        return values(tensors)

    assert ranks(run) == [[[1.0], [2.0]], [[10.0], [4.0]]]


def test_broadcast_multigpu(ranks):
    def run(col, rank, group):
        tensors = two(rank)
        col.broadcast_multigpu(tensors, 1, 0, group)
        return values(tensors)

    assert ranks(run) == [[[3.0], [3.0]]] * 2


def test_allgather_multigpu(ranks):
    def run(col, rank, group):
        lists = [[numpy.zeros(2) for _ in range(4)] for _ in range(2)]
        col.allgather_multigpu(lists, two(rank), group)
        return [values(tensors) for tensors in lists]

    assert ranks(run) == [[[[1.0], [2.0], [3.0], [4.0]]] * 2] * 2


def test_reducescatter_multigpu(ranks):
    def run(col, rank, group):
        out = [numpy.zeros(2), numpy.zeros(2)]
        lists = [[numpy.full(2, 10.0 * place + rank) for place in range(4)] for _ in range(2)]
        col.reducescatter_multigpu(out, lists, group)
        return values(out)

    assert ranks(run) == [[[2.0], [42.0]], [[82.0], [122.0]]]


def test_send_and_recv_multigpu_of_some_elements(ranks):
    def run(col, rank, group):
        tensor = numpy.arange(4.0) + 10 * rank
        if rank == 0:
            col.send_multigpu(tensor, 1, 0, group, n_elements=2)
        else:
            col.recv_multigpu(tensor, 0, 0, group, n_elements=2)
        return tensor.tolist()

    assert ranks(run)[1] == [0.0, 1.0, 12.0, 13.0]


def test_lists_of_the_wrong_length_are_refused(ranks):
    def run(col, rank, group):
        one = [numpy.zeros(2)]
        calls = [
            lambda: col.allgather_multigpu([one], one, group),
            lambda: col.reducescatter_multigpu(one, [one], group),
            lambda: col.allreduce_multigpu([], group),
            lambda: col.reduce_multigpu(one, 0, 1, group),
            lambda: col.broadcast_multigpu(one, 0, -1, group),
            lambda: col.send_multigpu(one[0], 1 - rank, 0, group, -1),
        ]
        errors = []
        for call in calls:
            with pytest.raises((RuntimeError, ValueError)) as error:
                call()
            errors.append(type(error.value).__name__)
        return errors

    assert ranks(run) == [["RuntimeError"] * 3 + ["ValueError"] * 2 + ["RuntimeError"]] * 2
