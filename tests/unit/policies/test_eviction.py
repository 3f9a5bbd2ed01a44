"""Which object leaves a full store first."""

from itertools import accumulate
from random import Random

import pytest

from raysim.policies.eviction import create_eviction
from raysim.protocol.raylet.shelf import RankedShelf, Shelf
from raysim.protocol.raylet.stored import StoredObject
from raysim.spec.ids import ObjectId
from tests.unit.protocol.fake_host import address

OWNER = address("owner")
CAPACITY = 1_000_000
OBJECTS = 2_000


def shelf(eviction: str) -> Shelf:
    policy = create_eviction(eviction)
    return Shelf() if policy is None else RankedShelf(policy)


def entry(number: int, size: int, uses: int = 1) -> StoredObject:
    name = ObjectId(number.to_bytes(28, "big"))
    return StoredObject(name, number, size, OWNER, False, uses=uses)


def hits(eviction: str) -> tuple[float, float]:
    """Shares of the fetches, and of their bytes, that a store answers where few objects are asked for often and few are
    large, as papers on caches have it: Zipf's law, and Pareto's."""
    rng = Random(1)
    sizes = [round(1_000 * rng.paretovariate(1.1)) for _ in range(OBJECTS)]
    weights = list(accumulate(1 / rank for rank in range(1, OBJECTS + 1)))
    kept, known = shelf(eviction), dict[int, StoredObject]()
    found = [0, 0]
    total = [0, 0]
    for number in rng.choices(range(OBJECTS), cum_weights=weights, k=20_000):
        size = min(sizes[number], CAPACITY)
        total = [total[0] + 1, total[1] + size]
        one = known.get(number)
        if one is not None:
            found = [found[0] + 1, found[1] + size]
            kept.remove(one)
            one.uses += 1
        else:
            while kept.bytes + size > CAPACITY:
                first = kept.first()
                kept.went(first)
                kept.remove(first)
                del known[first.handle]
            one = known[number] = entry(number, size)
        kept.add(one)
    return found[0] / total[0], found[1] / total[1]


def test_gdsf_answers_more_fetches_than_lru_where_sizes_differ() -> None:
    lru, largest, gdsf = (hits(one)[0] for one in ("lru", "largest_first", "gdsf"))
    assert gdsf > largest > lru
    assert 1 - gdsf < 0.8 * (1 - lru)


def test_gdsf_by_bytes_saves_more_bytes_than_by_fetches() -> None:
    assert hits("gdsf(by_bytes=true)")[1] > hits("gdsf")[1]


def test_what_was_used_much_but_long_ago_goes_in_the_end() -> None:
    kept = shelf("gdsf")
    old = entry(0, 10, uses=20)
    kept.add(old)
    for number in range(1, 50):
        kept.add(entry(number, 10))
        first = kept.first()
        kept.went(first)
        kept.remove(first)
        if first is old:
            break
    assert old not in kept
    assert number > 10


def test_equals_go_in_the_order_of_their_last_use() -> None:
    kept = shelf("largest_first")
    some = [entry(number, 10) for number in range(3)]
    for one in [*some, entry(3, 5)]:
        kept.add(one)
    kept.remove(some[0])
    kept.add(some[0])
    assert [one.handle for one in kept.in_turn()] == [1, 2, 0, 3]
    assert kept.first() is some[1]


def test_an_order_that_there_is_not_is_refused_with_what_was_meant() -> None:
    with pytest.raises(ValueError, match="unknown order of eviction 'gsdf'; did you mean gdsf"):
        create_eviction("gsdf")
