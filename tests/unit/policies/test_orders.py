"""Whose turn it is, decided on queues that are written down here."""

from random import Random

import pytest

from raysim.policies.orders import create_order, order_names
from raysim.policies.queue import Queue, Running, Waiting
from raysim.spec.resources import Resources, add, fits, fixed

S = 1_000_000_000


class Line:
    """A node with `total`, on which tasks start, wait and end."""

    def __init__(self, order: str, **total: float) -> None:
        made = create_order(order)
        assert made is not None, f"{order} asks nobody"
        self.order, self.rng = made, Random(1)
        units = fixed(total or {"CPU": 4})
        self.queue = Queue(0, units, dict(units), {}, {}, {})
        self.number = 0

    def comes(
        self,
        cpus: float = 1,
        expected_s: float | None = None,
        user: str = "ann",
        priority: int = 0,
        deadline_s: float = -1e-9,
        **more: float,
    ) -> int:
        self.number += 1
        expected = -1 if expected_s is None else round(expected_s * S)
        need = fixed({"CPU": cpus, **more})
        now, due = self.queue.now_ns, round(deadline_s * S)
        one = Waiting(self.number, need, user, now, expected, priority, due)
        dict_of(self.queue.waiting)[self.number] = one
        return self.number

    def starts(self, number: int, preemptible: bool = False) -> None:
        one = dict_of(self.queue.waiting).pop(number)
        add(self.queue.free, {name: -units for name, units in one.need.items()})
        dict_of(self.queue.running)[number] = Running(
            number,
            one.need,
            one.user,
            self.queue.now_ns,
            one.expected_ns,
            one.priority,
            preemptible,
        )

    def ends(self, number: int) -> None:
        one = dict_of(self.queue.running).pop(number)
        add(self.queue.free, one.need)
        for_ns = self.queue.now_ns - one.started_ns
        had: Resources = dict_of(self.queue.used).setdefault(one.user, {})
        add(had, {name: units * for_ns for name, units in one.need.items()})

    def at(self, seconds: float) -> None:
        self.queue.now_ns = round(seconds * S)

    def next(self) -> int | None:
        if hasattr(self.order, "next"):
            found = self.order.next(self.queue, self.rng)
            return None if found is None else found.number
        able = [one for one in self.queue.waiting.values() if fits(one.need, self.queue.free)]
        ranked = [(self.order.rank(one), one.number) for one in able]
        return min(ranked)[1] if ranked else None

    def served(self) -> list[int]:
        """All whose turn it is now."""
        found = []
        while (number := self.next()) is not None:
            self.starts(number)
            found.append(number)
        return found

    def victim(self) -> int | None:
        found = self.order.victim(self.queue, self.rng)
        return None if found is None else found.number


def dict_of(mapping: object) -> dict:
    assert isinstance(mapping, dict)
    return mapping


@pytest.mark.parametrize("name", order_names())
def test_every_order_serves_all_where_there_is_room_and_none_where_there_is_not(name: str) -> None:
    if name == "fifo":
        assert create_order(name) is None
        return
    line = Line(name, CPU=3)
    for expected in (3, 1, 2):
        line.comes(expected_s=expected)
    assert sorted(line.served()) == [1, 2, 3]
    line.comes(expected_s=1)
    assert line.next() is None


@pytest.mark.parametrize("name", [name for name in order_names() if name != "fifo"])
@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_chosen_waits_and_has_room(name: str, seed: int) -> None:
    """Tasks come and end at random, until all have; no order leaves one behind on an idle node."""
    draw, line = Random(seed), Line(name, CPU=4, GPU=2)
    came = served = 0
    while came < 30 or line.queue.waiting:
        line.at(line.queue.now_ns / S + draw.random())
        if came < 30 and draw.random() < 0.6:
            came += 1
            expected = draw.choice([None, 0, 1, 2, 5])
            gpus = {"GPU": 1.0} if draw.random() < 0.3 else {}
            line.comes(draw.randint(0, 4), expected, draw.choice("abc"), draw.randint(0, 2), **gpus)
        elif line.queue.running:
            line.ends(draw.choice(list(line.queue.running)))
        while (number := line.next()) is not None:
            assert fits(line.queue.waiting[number].need, line.queue.free)
            line.starts(number)
            served += 1
        assert line.queue.running or not line.queue.waiting
    assert served == 30


# By size, priority, deadline


@pytest.mark.parametrize(
    ("order", "numbers"),
    [("sjf", [2, 3, 1, 4]), ("ljf", [1, 3, 2, 4]), ("srpt", [2, 3, 1, 4])],
)
def test_sizes_decide_and_what_nobody_knows_comes_last(order: str, numbers: list[int]) -> None:
    line = Line(order)
    for expected in (3, 1, 2, None):
        line.comes(expected_s=expected)
    assert line.served() == numbers


def test_the_more_urgent_come_first_and_equals_in_their_order() -> None:
    line = Line("priority")
    for priority in (0, 2, 2, 1):
        line.comes(priority=priority)
    assert line.served() == [2, 3, 4, 1]


def test_the_earliest_deadline_comes_first() -> None:
    line = Line("edf")
    line.comes()
    line.comes(deadline_s=9)
    line.comes(deadline_s=4)
    assert line.served() == [3, 2, 1]


def test_what_has_most_left_makes_room_for_what_has_less() -> None:
    line = Line("srpt", CPU=2)
    for expected in (10, 6):
        line.starts(line.comes(expected_s=expected), preemptible=True)
    line.at(5)
    line.comes(expected_s=3)
    assert line.victim() == 1, "5 s are left of the first, 1 s of the second"
    line.at(8)
    assert line.victim() is None, "2 s are left of the first"


def test_what_cannot_be_stopped_goes_on() -> None:
    line = Line("srpt", CPU=1)
    line.starts(line.comes(expected_s=10))
    line.comes(expected_s=1)
    assert line.victim() is None


def test_priority_stops_what_is_less_urgent_only_where_it_is_told_to() -> None:
    for order, victim in (("priority", None), ("priority(preempt=true)", 1)):
        line = Line(order, CPU=2)
        line.starts(line.comes(priority=0), preemptible=True)
        line.starts(line.comes(priority=1), preemptible=True)
        line.comes(priority=2)
        assert line.victim() == victim


def test_nothing_is_stopped_for_what_would_not_fit_in_its_place() -> None:
    line = Line("priority(preempt=true)", CPU=2)
    for _ in range(2):
        line.starts(line.comes(), preemptible=True)
    line.comes(cpus=2, priority=1)
    assert line.victim() is None


# Among users


def test_drf_of_the_paper() -> None:
    """Ghodsi et al. 2011, figure 1: of 9 CPU and 18 GB, A runs 3 tasks of <1, 4>, B 2 tasks of <3, 1>."""
    line = Line("drf", CPU=9, memory=18)
    for _ in range(6):
        line.comes(1, user="A", memory=4)
        line.comes(3, user="B", memory=1)
    line.served()
    users = [one.user for one in line.queue.running.values()]
    assert (users.count("A"), users.count("B")) == (3, 2)


def test_max_min_gives_the_rest_to_whoever_asks_for_more() -> None:
    line = Line("max_min", CPU=10)
    for _ in range(9):
        line.comes(user="ann")
    for user in ("bob", "bob", "cid", "cid", "cid", "cid"):
        line.comes(user=user)
    line.served()
    users = [one.user for one in line.queue.running.values()]
    assert [users.count(user) for user in ("ann", "bob", "cid")] == [4, 2, 4]


def test_least_attained_looks_at_all_that_was_had() -> None:
    line = Line("las", CPU=1)
    line.starts(line.comes(user="ann"))
    line.at(10)
    line.ends(1)
    line.starts(line.comes(user="bob"))
    line.at(13)
    line.ends(2)
    line.comes(user="ann")
    line.comes(user="bob")
    assert line.next() == 4, "bob has had 3 s, ann 10 s"


def test_fair_share_forgets_what_was_long_ago() -> None:
    line = Line("fair_share(half_life_s=1)", CPU=1)
    line.starts(line.comes(user="ann"))
    line.at(10)
    line.ends(1)
    line.next()
    line.at(40)
    line.starts(line.comes(user="bob"))
    line.at(43)
    line.ends(2)
    line.comes(user="ann")
    line.comes(user="bob")
    assert line.next() == 3, "bob's 3 s are recent, ann's 10 s are not"


def test_finish_time_fairness_serves_who_is_set_back_most() -> None:
    line = Line("finish_time", CPU=2)
    line.comes(user="ann", expected_s=100)
    line.at(20)
    line.comes(user="bob", expected_s=1)
    line.at(30)
    assert line.next() == 2, "10 s late are ten times bob's work, and a third of ann's"


def test_a_half_life_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a half-life is above 0 seconds, not 0"):
        create_order("fair_share(half_life_s=0)")


# Backfilling. The first two tasks: one runs on 3 of 4 cores for 10 s, one that needs all 4 is the head.


@pytest.fixture(params=["fcfs", "easy", "conservative"])
def held_up(request: pytest.FixtureRequest) -> Line:
    line = Line(request.param, CPU=4)
    line.starts(line.comes(3, 10))
    line.comes(4, 5)
    return line


def test_only_backfilling_lets_a_short_task_pass(held_up: Line) -> None:
    held_up.comes(1, 10)
    assert held_up.next() == (None if held_up.order.name == "fcfs" else 3)


def test_nobody_lets_a_long_task_delay_the_head(held_up: Line) -> None:
    held_up.comes(1, 10.001)
    held_up.comes(1)
    assert held_up.next() is None


def test_a_long_task_passes_beside_the_head() -> None:
    for order in ("easy", "conservative"):
        line = Line(order, CPU=4)
        line.starts(line.comes(3, 10))
        line.comes(3, 5)
        line.comes(1, 1000)
        assert line.served() == [3]


def test_only_easy_delays_the_second_for_one_behind_it() -> None:
    """Until 10 s two cores are free, then the head has four of five, and the second would have two at 15 s."""
    for order, served in (("easy", [4]), ("conservative", [])):
        line = Line(order, CPU=5)
        line.starts(line.comes(4, 10))
        line.comes(4, 5)
        line.comes(5, 5)
        line.comes(1, 1000)
        assert line.served() == served


def test_what_runs_longer_than_it_said_is_expected_to_end_at_any_moment() -> None:
    line = Line("easy", CPU=4)
    line.starts(line.comes(3, 10))
    line.at(12)
    line.comes(4, 5)
    line.comes(1, 1)
    assert line.next() is None, "the head may begin at once"


# Names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("eazy", "unknown queue order 'eazy'; did you mean easy?"),
        ("fifoo", "did you mean fifo?"),
        ("sjf(x=1)", "queue order sjf has no argument 'x'"),
        ("priority(preempt=yes)", "preempt must be true or false, not 'yes'"),
        (
            "raysim.policies.fit:BestFit",
            "is no class with a method `next` or `rank`: see docs/policies.md",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_meant(text: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it says is what is tested.
        create_order(text)
    assert told in str(caught.value)
