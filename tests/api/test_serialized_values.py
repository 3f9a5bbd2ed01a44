"""What a value is after it went through a call, a return or the store."""

import pytest

PATIENCE = 60


class Thing:
    """An ordinary object."""


@pytest.mark.parametrize("make", [lambda: ("shared",), Thing], ids=["tuple", "object"])
def test_one_thing_in_two_places_stays_one(ray, make):
    @ray.remote
    def look(values):
        return values[0] is values[1]

    thing = make()
    one, other = ray.get(ray.put([thing, thing]))
    assert one is other
    assert ray.get(look.remote([thing, thing]), timeout=PATIENCE)


def test_one_list_in_two_places_stays_one(ray, backend):
    if backend not in ("sim", "cluster"):
        pytest.skip("Ray makes two of it: its way for plain data does not look for what is shared")
    shared = ["shared"]
    one, other = ray.get(ray.put([shared, shared]))
    assert one is other


def test_class_is_taken_at_its_first_instance(ray):
    """As a function is at its first call."""
    box = [1]

    @ray.remote(num_cpus=0)
    class Looks:
        def look(self):
            return box[0]

    assert ray.get(Looks.remote().look.remote(), timeout=PATIENCE) == 1
    box[0] = 2
    assert ray.get(Looks.remote().look.remote(), timeout=PATIENCE) == 1


def test_arguments_of_actors_are_taken_when_the_call_is_made(ray):
    @ray.remote(num_cpus=0)
    class Keeps:
        def __init__(self, values):
            self.values = values

        def add(self, values):
            return self.values + values

    first, second = [1], [2]
    keeps = Keeps.remote(first)
    first.append("later")
    ref = keeps.add.remote(second)
    second.append("later")
    assert ray.get(ref, timeout=PATIENCE) == [1, 2]


def test_what_an_actor_returns_is_a_copy_of_its_state(ray):
    @ray.remote(num_cpus=0)
    class Keeps:
        def __init__(self):
            self.values = [1]

        def give(self):
            return self.values

    keeps = Keeps.remote()
    mine = ray.get(keeps.give.remote(), timeout=PATIENCE)
    mine.append(2)
    assert ray.get(keeps.give.remote(), timeout=PATIENCE) == [1]


def test_reference_as_a_keyword_or_default_of_a_partial(ray):
    """Only what is an argument itself becomes a value; a reference inside anything stays one."""

    @ray.remote
    def look(value, *rest, named, **others):
        return value, rest, named, others["other"], type(others["kept"]["inner"]).__name__

    refs = [ray.put(number) for number in range(5)]
    seen = look.remote(refs[0], refs[1], named=refs[2], other=refs[3], kept={"inner": refs[4]})
    assert ray.get(seen, timeout=PATIENCE) == (0, (1,), 2, 3, "ObjectRef")


def test_one_reference_twice_among_the_arguments(ray):
    @ray.remote
    def pair(a, b):
        return a + b

    ref = ray.put(21)
    assert ray.get(pair.remote(ref, b=ref), timeout=PATIENCE) == 42


def test_returned_reference_is_not_followed(ray):
    @ray.remote
    def give():
        return ray.put("inner")

    ref = ray.get(give.remote(), timeout=PATIENCE)
    assert type(ref).__name__ == "ObjectRef"
    assert ray.get(ref, timeout=PATIENCE) == "inner"


def test_attributes_of_a_class_belong_to_a_process(ray):
    """A class that travels by value is another class in each process, with one state there."""

    class Tally:
        count = 0

    @ray.remote(num_cpus=0)
    class Member:
        def add(self):
            Tally.count += 1
            return Tally.count

    first, second = Member.remote(), Member.remote()
    assert ray.get([first.add.remote(), first.add.remote(), second.add.remote()]) == [1, 2, 1]
    assert Tally.count == 0


def test_object_of_a_class_that_travelled_is_of_the_driver_s_class(ray):
    class Point:
        def __init__(self, x):
            self.x = x

    @ray.remote
    def moved(point):
        assert isinstance(point, Point)
        return Point(point.x + 1)

    back = ray.get(moved.remote(Point(1)))
    assert isinstance(back, Point)
    assert back.x == 2


def test_class_of_the_driver_is_not_changed_by_those_who_unpickle_it(ray):
    """Its methods go on looking at the driver's globals."""
    space = {"SIGN": 1}
    exec("class Signed:\n    def sign(self):\n        return SIGN\n", space)
    signed = space["Signed"]
    signed.__module__ = "__main__"

    @ray.remote
    def asks(one):
        return one.sign()

    assert ray.get(asks.remote(signed())) == 1
    space["SIGN"] = 2
    assert signed().sign() == 2
