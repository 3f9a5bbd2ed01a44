"""Tasks and actors in placement groups: where they run, what they hold, what they capture."""

import time
from itertools import pairwise

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:placement_group:DeprecationWarning")


def inside(ray, pgs):
    """What a task or an actor sees of its group: its id, what it holds, whether it captures."""

    def look():
        context = ray.get_runtime_context()
        current = pgs.current()
        return (
            None if current is None else current.id.hex(),
            context.get_placement_group_id(),
            context.get_assigned_resources(),
            context.should_capture_child_tasks_in_placement_group,
        )

    return look


# Tasks in groups


def test_task_runs_in_its_group(ray, group, pgs):
    made = group({"CPU": 2})
    look = ray.remote(inside(ray, pgs)).options(scheduling_strategy=pgs.In(made))
    assert ray.get(look.remote(), timeout=30) == (made.id.hex(), made.id.hex(), {"CPU": 1}, False)


def test_task_runs_in_its_bundle(ray, group, pgs):
    made = group({"CPU": 1}, {"CPU": 1, "shelf": 1})
    look = ray.remote(inside(ray, pgs))
    strategy = pgs.In(made, placement_group_bundle_index=1)
    for options, held in (
        ({"resources": {"shelf": 0.5}}, {"CPU": 1, "shelf": 0.5}),
        ({"num_cpus": 0}, {}),
    ):
        ref = look.options(scheduling_strategy=strategy, **options).remote()
        assert ray.get(ref, timeout=30)[:3] == (made.id.hex(), made.id.hex(), held)


def test_task_outside_of_groups_is_in_none(ray, group, pgs):
    group({"CPU": 1}).wait(30)
    look = ray.remote(inside(ray, pgs))
    assert ray.get(look.remote(), timeout=30) == (None, None, {"CPU": 1}, False)
    assert pgs.current() is None


def test_empty_group_stands_for_none(ray, pgs):
    nothing = pgs.Group.empty()
    assert nothing.is_empty
    assert pgs.remove(nothing) is None
    look = ray.remote(inside(ray, pgs))
    assert ray.get(look.options(scheduling_strategy=pgs.In(nothing)).remote())[0] is None


def test_group_is_for_those_who_name_it(ray, group, pgs):
    """The whole node is reserved: a plain task waits, one of the group runs."""
    made = group({"CPU": 4})
    assert made.wait(30)

    @ray.remote
    def run():
        return "ran"

    plain = run.remote()
    assert ray.get(run.options(scheduling_strategy=pgs.In(made)).remote(), timeout=30) == "ran"
    assert ray.wait([plain], timeout=0.3) == ([], [plain])
    pgs.remove(made)
    assert ray.get(plain, timeout=30) == "ran"


def test_tasks_of_one_bundle_take_turns(ray, group, pgs):
    made = group({"CPU": 1}, {"CPU": 1})

    @ray.remote
    def run():
        begin = time.time()
        time.sleep(0.05)
        return begin, time.time()

    strategy = pgs.In(made, placement_group_bundle_index=0)
    refs = [run.options(scheduling_strategy=strategy).remote() for _ in range(3)]
    times = sorted(ray.get(refs, timeout=30))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(times))


def test_blocked_task_lends_the_cpu_of_its_bundle(ray, group, pgs):
    """It would wait for ever for a task in the same bundle."""
    made = group({"CPU": 1})
    strategy = pgs.In(made, placement_group_bundle_index=0)

    @ray.remote
    def inner():
        return "inner"

    @ray.remote
    def outer():
        return ray.get(inner.options(scheduling_strategy=strategy).remote())

    assert ray.get(outer.options(scheduling_strategy=strategy).remote(), timeout=30) == "inner"


def test_request_that_fits_no_bundle_is_a_value_error(ray, group, pgs):
    made = group({"CPU": 1}, {"CPU": 1, "shelf": 1})

    @ray.remote
    def run():
        return 1

    for options in ({"num_cpus": 2}, {"num_gpus": 1}, {"resources": {"shelf": 2}}):
        with pytest.raises(ValueError, match="cannot fit into any bundles"):
            run.options(scheduling_strategy=pgs.In(made), **options).remote()


@pytest.mark.parametrize("index", [2, -2])
def test_index_out_of_range_is_a_value_error(ray, group, pgs, index):
    made = group({"CPU": 1}, {"CPU": 1})

    @ray.remote
    def run():
        return 1

    with pytest.raises(ValueError, match="index"):
        run.options(scheduling_strategy=pgs.In(made, index)).remote()


def test_index_without_a_group_is_a_value_error(ray):
    @ray.remote
    def run():
        return 1

    with pytest.raises(ValueError, match="index"):
        run.options(placement_group_bundle_index=0).remote()


def test_group_and_strategy_exclude_each_other(ray, group):
    made = group({"CPU": 1})

    @ray.remote
    def run():
        return 1

    with pytest.raises(ValueError, match="scheduling_strategy"):
        run.options(placement_group=made, scheduling_strategy="DEFAULT")
    with pytest.raises(TypeError):
        run.options(placement_group=3)
    with pytest.raises(TypeError):
        run.options(placement_group_bundle_index="a")


def test_options_of_groups_besides_the_strategy_are_deprecated(ray, group):
    made = group({"CPU": 1})

    @ray.remote
    def run():
        return 1

    with pytest.warns(DeprecationWarning, match="placement_group parameter is deprecated"):
        ref = run.options(placement_group=made).remote()
    assert ray.get(ref, timeout=30) == 1


def test_group_as_an_option_of_its_own(ray, group, pgs):
    """Deprecated in Ray, and used."""
    made = group({"CPU": 1}, {"CPU": 1})
    look = ray.remote(inside(ray, pgs)).options(
        placement_group=made,
        placement_group_bundle_index=1,
        placement_group_capture_child_tasks=True,
    )
    assert ray.get(look.remote(), timeout=30) == (made.id.hex(), made.id.hex(), {"CPU": 1}, True)


# Capture


@pytest.fixture
def child(ray, pgs):
    """The group, or None, that a child runs in whose parent runs with `capture`."""
    look = ray.remote(inside(ray, pgs))

    def run(made, capture, **options):
        @ray.remote
        def parent():
            return ray.get(look.options(**options).remote() if options else look.remote())[0]

        strategy = pgs.In(made, placement_group_capture_child_tasks=capture)
        return ray.get(parent.options(scheduling_strategy=strategy).remote(), timeout=30)

    return run


def test_children_leave_the_group_unless_it_captures_them(ray, group, child):
    made = group({"CPU": 2})
    assert child(made, None) is None
    assert child(made, False) is None
    assert child(made, True) == made.id.hex()


def test_capture_is_inherited(ray, group, pgs):
    made = group({"CPU": 3})
    look = ray.remote(inside(ray, pgs))

    @ray.remote
    def middle():
        return ray.get(look.remote())

    @ray.remote
    def top():
        return ray.get(middle.remote())

    strategy = pgs.In(made, placement_group_capture_child_tasks=True)
    found = ray.get(top.options(scheduling_strategy=strategy).remote(), timeout=30)
    assert found == (made.id.hex(), made.id.hex(), {"CPU": 1}, True)


@pytest.mark.parametrize(
    "options",
    [
        {"scheduling_strategy": "DEFAULT"},
        {"scheduling_strategy": "SPREAD"},
        {"placement_group": None},
        {"placement_group_capture_child_tasks": False},
    ],
    ids=repr,
)
def test_child_leaves_the_group_when_it_says_so(ray, group, child, options):
    made = group({"CPU": 2})
    assert child(made, True, **options) is None


def test_child_may_name_a_bundle_of_the_group_that_captures_it(ray, group, child):
    made = group({"CPU": 1}, {"CPU": 1})
    assert child(made, True, placement_group_bundle_index=1) == made.id.hex()


def test_captured_child_must_fit_a_bundle(ray, group, child):
    made = group({"CPU": 2})
    with pytest.raises(ValueError, match="cannot fit into any bundles"):
        child(made, True, num_cpus=3)


# Actors in groups


def test_actor_runs_in_its_group(ray, group, pgs):
    made = group({"CPU": 1}, {"CPU": 1})
    look = inside(ray, pgs)

    @ray.remote
    class Looker:
        def look(self):
            return look()

    default = Looker.options(scheduling_strategy=pgs.In(made)).remote()
    assert ray.get(default.look.remote(), timeout=30) == (made.id.hex(), made.id.hex(), {}, False)
    holder = Looker.options(num_cpus=1, scheduling_strategy=pgs.In(made, 1)).remote()
    assert ray.get(holder.look.remote(), timeout=30)[2] == {"CPU": 1}


def test_default_actor_needs_a_bundle_with_a_cpu(ray, group, pgs):
    """It is placed with one CPU, and runs with none."""
    made = group({"shelf": 1})

    @ray.remote
    class Idle:
        def ping(self):
            return 1

    with pytest.raises(ValueError, match="requires 1 CPU"):
        Idle.options(scheduling_strategy=pgs.In(made)).remote()
    idle = Idle.options(num_cpus=0, scheduling_strategy=pgs.In(made)).remote()
    assert ray.get(idle.ping.remote(), timeout=30) == 1


def test_actor_captures_its_children(ray, group, pgs):
    made = group({"CPU": 2})
    look = ray.remote(inside(ray, pgs))

    @ray.remote
    class Parent:
        def child(self):
            return ray.get(look.remote())[0]

    strategy = pgs.In(made, placement_group_capture_child_tasks=True)
    parent = Parent.options(scheduling_strategy=strategy).remote()
    assert ray.get(parent.child.remote(), timeout=30) == made.id.hex()
