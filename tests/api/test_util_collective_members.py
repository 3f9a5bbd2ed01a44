"""Who comes to a group of `ray.util.collective`, leaves it, and dies in it. Ray's own group then is gloo's affair."""

import time
from importlib import import_module

import pytest

from tests.api.patience import until

numpy = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def _of_raysim(backend):
    if backend == "judge":
        pytest.skip("what gloo does here is not Ray's")


@pytest.fixture(scope="module")
def member(ray):
    name = f"{ray.__name__}.util.collective"

    @ray.remote(num_cpus=0)
    class Member:
        def init(self, size, rank, group, timeout=60_000):
            self.group = group
            import_module(name).init_collective_group(size, rank, "gloo", group, timeout)

        def leave(self):
            import_module(name).destroy_collective_group(self.group)

        def call(self, what, *args):
            return what(import_module(name), *args)

    return Member


@pytest.fixture
def formed(ray, member, request):
    """Makes a group of so many ranks, of the test's name."""

    def form(size):
        made = [member.remote() for _ in range(size)]
        ray.get([one.init.remote(size, rank, request.node.name) for rank, one in enumerate(made)])
        return made

    return form


@pytest.fixture
def hubs(ray):
    """The names of those that there are."""
    return lambda: [one for one in ray.util.list_named_actors() if "collective" in one]


def exchange(col, rank, other, group):
    tensor = numpy.array([float(rank)])
    col.send(tensor, other, group)
    col.recv(tensor, other, group)
    return tensor[0]


def total(col, rank, group):
    tensor = numpy.array([rank + 1.0])
    col.allreduce(tensor, group)
    return tensor[0]


def test_nobody_is_in_a_group_before_everybody_is(ray, member, request):
    first, second = member.remote(), member.remote()
    joined = first.init.remote(2, 0, request.node.name)
    assert not ray.wait([joined], timeout=0.3)[0]
    ray.get([joined, second.init.remote(2, 1, request.node.name)])


def test_those_that_do_not_join_are_named(ray, member, request, hubs):
    here = member.remote()
    with pytest.raises(RuntimeError, match=r"timed out on rank 1.*missing: ranks \[0, 2\]"):
        ray.get(here.init.remote(3, 1, request.node.name, 200))
    until(lambda: not hubs())
    assert not ray.get(
        here.call.remote(lambda col, name: col.is_group_initialized(name), request.node.name)
    )


def test_a_rank_that_gave_up_may_come_again(ray, member, request):
    first, second = member.remote(), member.remote()
    with pytest.raises(RuntimeError, match="missing"):
        ray.get(first.init.remote(2, 0, request.node.name, 50))
    name = request.node.name
    ray.get([second.init.remote(2, 1, name), first.init.remote(2, 0, name)])
    assert ray.get([one.call.remote(total, 1, name) for one in (first, second)]) == [4.0, 4.0]


@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("how", ["leaves", "dies"])
def test_the_others_go_on_without_one(ray, formed, request, gone, how):
    """One of the three has made what they meet at."""
    ranks = formed(3)
    if how == "dies":
        ray.kill(ranks[gone])
    else:
        ray.get(ranks[gone].leave.remote())
        ray.kill(ranks[gone])
    a, b = [rank for rank in range(3) if rank != gone]
    for _ in range(3):
        found = ray.get(
            [
                ranks[a].call.remote(exchange, a, b, request.node.name),
                ranks[b].call.remote(exchange, b, a, request.node.name),
            ]
        )
        assert found == [b, a]


@pytest.mark.parametrize("how", ["has left", "died"])
def test_what_waits_for_one_that_is_gone_fails(ray, formed, request, how):
    ranks = formed(3)
    group = request.node.name
    early = ranks[0].call.remote(lambda col, name: col.barrier(name), group)
    letter = ranks[2].call.remote(lambda col, name: col.recv(numpy.zeros(1), 1, name), group)
    if how == "died":
        ray.kill(ranks[1])
    else:
        ray.get(ranks[1].leave.remote())
    for ref, what in ((early, "barrier"), (letter, "recv from rank 1")):
        with pytest.raises(RuntimeError, match=f"{what} of group .* failed .* rank 1 {how}"):
            ray.get(ref, timeout=50)
    for what in (
        lambda col, name: col.barrier(name),
        lambda col, name: col.send(numpy.zeros(1), 1, name),
        lambda col, name: col.recv(numpy.zeros(1), 1, name),
    ):
        with pytest.raises(RuntimeError, match=f"rank 1 {how}"):
            ray.get(ranks[0].call.remote(what, group), timeout=50)


def test_what_a_rank_has_sent_arrives_after_it_has_left(ray, formed, request):
    ranks = formed(2)
    group = request.node.name
    ray.get(ranks[0].call.remote(lambda col, name: col.send(numpy.ones(1), 1, name), group))
    ray.get(ranks[0].leave.remote())

    def receive(col, name):
        tensor = numpy.zeros(1)
        col.recv(tensor, 0, name)
        return tensor[0]

    assert ray.get(ranks[1].call.remote(receive, group)) == 1.0


@pytest.mark.parametrize("how", ["leaves", "dies"])
def test_nothing_is_left_of_a_group_when_its_last_rank_is_gone(ray, formed, hubs, how):
    ranks = formed(2)
    assert hubs()
    for one in ranks:
        if how == "dies":
            ray.kill(one)
        else:
            ray.get(one.leave.remote())
    until(lambda: not hubs())


def test_the_name_of_a_group_can_be_used_again_at_once(ray, formed, request):
    ranks = formed(2)
    name = request.node.name
    for turn in range(5):
        ray.get([one.leave.remote() for one in ranks])
        ranks.reverse()
        ray.get([one.init.remote(2, rank, name) for rank, one in enumerate(ranks)])
        sums = [one.call.remote(total, rank + turn, name) for rank, one in enumerate(ranks)]
        assert ray.get(sums) == [2 * turn + 3.0] * 2


def test_who_joins_again_waits_until_the_others_have_left(ray, formed, request):
    first, second = formed(2)
    ray.get(first.leave.remote())
    again = first.init.remote(2, 0, request.node.name)
    assert not ray.wait([again], timeout=0.3)[0]
    ray.get(second.leave.remote())
    ray.get([again, second.init.remote(2, 1, request.node.name)])
    sums = [one.call.remote(total, 0, request.node.name) for one in (first, second)]
    assert ray.get(sums) == [2.0, 2.0]


def test_a_rank_of_another_process_is_waited_for_in_vain(ray, member, formed, request):
    ranks = formed(2)
    with pytest.raises(RuntimeError, match=r"world_size=2 has the ranks \[0, 1\]"):
        ray.get(member.remote().init.remote(3, 2, request.node.name, 200))
    sums = [one.call.remote(total, 0, request.node.name) for one in ranks]
    assert ray.get(sums) == [2.0, 2.0]


@pytest.mark.parametrize("lost", [0, 1])
def test_another_process_takes_the_place_of_one_that_died_waiting(ray, member, request, lost):
    """Either of the two that wait may have made what they meet at."""
    name = request.node.name
    waiting = [member.remote() for _ in range(2)]
    refs = [one.init.remote(3, rank, name) for rank, one in enumerate(waiting)]
    assert not ray.wait(refs, timeout=0.3)[0]
    ray.kill(waiting[lost])
    late = {lost: member.remote(), 2: member.remote()}
    joined = [one.init.remote(3, rank, name) for rank, one in late.items()]
    ray.get([refs[1 - lost], *joined])
    ranks = {1 - lost: waiting[1 - lost], **late}
    sums = [one.call.remote(total, rank, name) for rank, one in ranks.items()]
    assert ray.get(sums) == [6.0] * 3


def test_a_group_outlives_the_one_that_made_it_for_others(ray, member, request):
    """The maker is an actor itself: what it makes usually ends with it."""
    ranks = [member.remote() for _ in range(2)]
    maker = member.remote()
    name = request.node.name
    ray.get(
        maker.call.remote(
            lambda col, actors: col.create_collective_group(actors, 2, [0, 1], "gloo", name), ranks
        )
    )
    ray.kill(maker)
    for _ in range(3):
        sums = [one.call.remote(total, rank, name) for rank, one in enumerate(ranks)]
        assert ray.get(sums) == [3.0, 3.0]


def test_a_hub_to_which_nobody_comes_ends(ray, backend):
    """Its maker died before it came itself."""
    if backend != "sim":
        pytest.skip("takes a minute")
    seat = import_module("raysim.util.collective.seat")
    hub = seat.new_hub(2)
    ray.get(hub.__ray_ready__.remote())
    time.sleep(70)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(hub.__ray_ready__.remote())
