"""Collective operations in graphs: `ray.experimental.collective`. Ray's own need torch, and run when compiled only."""

from importlib import import_module

import pytest

numpy = pytest.importorskip("numpy")

SIZES = (4, 40_000)
"""Elements of 8 bytes: values inside messages, and objects in the store."""


@pytest.fixture(scope="module")
def dag(ray):
    return import_module(f"{ray.__name__}.dag")


@pytest.fixture(scope="module")
def col(ray, backend):
    if backend == "judge":
        pytest.importorskip("torch")
    return import_module(f"{ray.__name__}.experimental.collective")


@pytest.fixture(scope="module")
def op(ray):
    return import_module(f"{ray.__name__}.experimental.util.types").ReduceOp


@pytest.fixture(scope="module")
def worker_class(ray):
    @ray.remote(num_cpus=0)
    class Worker:
        def __init__(self, rank):
            self.rank = rank

        def make(self, size):
            return numpy.arange(size, dtype=numpy.float64) + self.rank + 1

        def scale(self, size):
            return numpy.full(size, 10.0 * (self.rank + 1))

        def word(self, size):
            return "hammer"

        def torch(self, size):
            import torch

            return torch.ones(size) * self.rank

        def odd(self, size):
            return numpy.zeros(size + self.rank)

        def seen(self, tensor):
            return type(tensor).__name__, tensor.shape, float(tensor.sum()), self.rank

    return Worker


@pytest.fixture
def workers(worker_class):
    return [worker_class.remote(rank) for rank in range(2)]


@pytest.fixture(params=["compiled", "executed"])
def run(ray, dag, backend, request):
    """Runs a graph in both ways: `run(node, value)`."""
    if backend == "judge":
        pytest.skip("Ray's need torch, and GPUs")
    compiled = []

    def run(node, *args):
        if request.param == "executed":
            with pytest.warns(DeprecationWarning, match="execute"):
                return ray.get(node.execute(*args))
        compiled.append(node.experimental_compile())
        return ray.get(compiled[-1].execute(*args))

    yield run
    for graph in compiled:
        graph.teardown()


def expected(size):
    """What the two workers make."""
    first = numpy.arange(size, dtype=numpy.float64) + 1
    return [first, first + 1]


@pytest.mark.parametrize("size", SIZES)
def test_allreduce(dag, col, run, workers, size):
    with dag.InputNode() as given:
        made = [one.make.bind(given) for one in workers]
        graph = dag.MultiOutputNode(col.allreduce.bind(made))
    results = run(graph, size)
    assert all(numpy.array_equal(found, sum(expected(size))) for found in results)


@pytest.mark.parametrize(
    ("name", "result"),
    [("SUM", [3, 5]), ("PRODUCT", [2, 6]), ("MIN", [1, 2]), ("MAX", [2, 3]), ("AVG", [1.5, 2.5])],
)
def test_every_reduction(dag, col, op, run, workers, name, result):
    with dag.InputNode() as given:
        made = [one.make.bind(given) for one in workers]
        graph = dag.MultiOutputNode(col.allreduce.bind(made, op=getattr(op, name)))
    assert [found.tolist() for found in run(graph, 2)] == [result, result]


def test_each_result_is_on_the_actor_of_its_input(dag, col, run, workers):
    with dag.InputNode() as given:
        made = [one.make.bind(given) for one in workers]
        reduced = col.allreduce.bind(made)
        seen = [one.seen.bind(node) for one, node in zip(workers, reduced, strict=True)]
        graph = dag.MultiOutputNode(seen)
    assert run(graph, 2) == [("ndarray", (2,), 8.0, 0), ("ndarray", (2,), 8.0, 1)]
    handles = [node._get_actor_handle() for node in reduced]
    assert handles == workers
    assert all(isinstance(node, dag.CollectiveOutputNode) for node in reduced)
    assert [node.collective_op.actor_handles for node in reduced] == [workers, workers]
    assert "allreduce" in reduced[0].get_method_name()


@pytest.mark.parametrize("size", SIZES)
def test_allgather(dag, col, run, workers, size):
    with dag.InputNode() as given:
        made = [one.make.bind(given) for one in workers]
        graph = dag.MultiOutputNode(col.allgather.bind(made))
    everything = numpy.concatenate(expected(size))
    assert all(numpy.array_equal(found, everything) for found in run(graph, size))


@pytest.mark.parametrize("size", SIZES)
def test_reducescatter(dag, col, run, workers, size):
    with dag.InputNode() as given:
        made = [one.make.bind(given) for one in workers]
        graph = dag.MultiOutputNode(col.reducescatter.bind(made))
    parts = numpy.split(sum(expected(size)), 2)
    for found, part in zip(run(graph, size), parts, strict=True):
        assert numpy.array_equal(found, part)


def test_several_tensors_of_each_actor(dag, col, run, workers):
    with dag.InputNode() as given:
        lists = [
            [one.make.bind(given) for one in workers],
            [one.scale.bind(given) for one in workers],
        ]
        first, second = col.allreduce.bind(lists)
        graph = dag.MultiOutputNode([*first, *second])
    assert [found.tolist() for found in run(graph, 1)] == [[3.0], [30.0], [3.0], [30.0]]


def test_passes_follow_each_other(ray, dag, col, workers, backend):
    if backend == "judge":
        pytest.skip("Ray's need torch, and GPUs")
    with dag.InputNode() as given:
        made = [one.make.bind(given) for one in workers]
        graph = dag.MultiOutputNode(col.allreduce.bind(made)).experimental_compile()
    passes = [graph.execute(size) for size in (1, 2, 3)]
    assert [[found.tolist() for found in ray.get(refs)][1] for refs in passes] == [
        [3.0],
        [3.0, 5.0],
        [3.0, 5.0, 7.0],
    ]
    graph.teardown()


def test_tensors_of_torch(dag, col, run, workers):
    pytest.importorskip("torch")
    with dag.InputNode() as given:
        made = [one.torch.bind(given) for one in workers]
        reduced = col.allreduce.bind(made)
        graph = dag.MultiOutputNode([workers[0].seen.bind(reduced[0]), reduced[1]])
    (kind, *_), tensor = run(graph, 3)
    assert (kind, tensor.tolist()) == ("Tensor", [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("method", "what", "says"),
    [
        ("word", "allreduce", "Expected a tensor"),
        ("odd", "allreduce", "one shape"),
        ("make", "reducescatter", "divisible by the world size 2"),
    ],
)
def test_values_that_do_not_match_are_errors_of_the_result(
    dag, col, run, workers, method, what, says
):
    with dag.InputNode() as given:
        made = [getattr(one, method).bind(given) for one in workers]
        graph = dag.MultiOutputNode(getattr(col, what).bind(made))
    with pytest.raises(ValueError, match=says):
        run(graph, 3)


# --- what cannot be bound ---------------------------------------------------------------------


@pytest.fixture
def nodes(dag, workers):
    with dag.InputNode() as given:
        return [one.make.bind(given) for one in workers]


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (lambda nodes, others: [], "non-empty input list"),
        (lambda nodes, others: [nodes[0], 3], "to be DAGNode"),
        (lambda nodes, others: [nodes[0], nodes[0]], "unique input nodes"),
        (lambda nodes, others: [nodes[0], others[0]], "unique actor handles"),
        (lambda nodes, others: [nodes, others[:1]], "same number of nodes"),
        (lambda nodes, others: [nodes, []], "non-empty input list at index 1"),
        (lambda nodes, others: [nodes, others[::-1]], "same order of actor handles"),
    ],
    ids=["none", "no node", "twice", "one actor", "fewer", "empty", "order"],
)
def test_inputs_that_do_not_match(dag, col, workers, nodes, backend, chosen, says):
    with dag.InputNode() as given:
        others = [one.scale.bind(given) for one in workers]
    inputs = chosen(nodes, others)
    if backend == "judge" and not inputs:
        pytest.skip("Ray fails with an IndexError")
    with pytest.raises(ValueError, match=says):
        col.allreduce.bind(inputs)


def test_lists_of_other_actors_do_not_match(dag, col, workers, worker_class, nodes):
    with dag.InputNode() as given:
        others = [worker_class.remote(5).make.bind(given) for _ in workers]
    with pytest.raises(ValueError, match="same set of actor handles"):
        col.allreduce.bind([nodes, others])


def test_only_methods_of_actors_can_be_bound(ray, dag, col, nodes):
    @ray.remote
    def make():
        return numpy.zeros(1)

    with pytest.raises((ValueError, AttributeError), match=r"actor_handle|actor handle"):
        col.allreduce.bind([nodes[0], make.bind()])


@pytest.mark.parametrize("what", ["allgather", "reducescatter"])
def test_only_allreduce_takes_lists_of_nodes(col, nodes, what):
    with pytest.raises(ValueError, match="only supported for allreduce"):
        getattr(col, what).bind([nodes])


def test_an_operation_that_is_none(col, nodes):
    with pytest.raises(ValueError, match="Unexpected operation"):
        col.allreduce.bind(nodes, op="sum")


def test_transports_of_accelerators_are_refused_by_name(col, nodes, backend):
    if backend == "judge":
        pytest.skip("Ray has them")
    with pytest.raises(ValueError, match="accelerator"):
        col.allreduce.bind(nodes, transport="accelerator")


def test_the_operations_can_be_called_as_those_of_a_group(col):
    with pytest.raises(RuntimeError, match=r"."):
        col.allreduce(numpy.zeros(1), "nowhere")


# --- hints ------------------------------------------------------------------------------------


def test_a_node_says_how_its_values_travel(ray, dag, nodes):
    channel = import_module(f"{ray.__name__}.experimental.channel")
    tensor = import_module(f"{ray.__name__}.experimental.channel.torch_tensor_type").TorchTensorType
    auto = import_module(
        f"{ray.__name__}.experimental.channel.auto_transport_type"
    ).AutoTransportType
    first, second = nodes
    assert type(first.type_hint) is channel.ChannelOutputType
    assert not first.type_hint.requires_accelerator()
    assert first.with_tensor_transport("shm", device="cpu") is first
    assert type(first.type_hint) is tensor
    assert (first.type_hint.transport, str(first.type_hint.device)) == ("auto", "cpu")
    second.with_tensor_transport()
    assert type(second.type_hint) is auto
    second.type_hint = first.type_hint
    assert second.type_hint is first.type_hint
    with pytest.raises(ValueError, match="transport"):
        tensor(transport="pigeon")
