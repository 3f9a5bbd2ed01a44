"""Which waits spin: where that makes them shorter, and hardly any where it does not."""

from raysim_cluster.spinning import LOOK_AGAIN, REST, TRIES, SpinOrSleep

US = 1_000
LONGEST_NS = 250 * US


def waits(spinning: SpinOrSleep, count: int, sleeping: int, spun: int) -> list[bool]:
    """Which of so many waits spin, if they last so long asleep, and so long while they spin."""
    found = []
    for _ in range(count):
        limit = spinning.limit_ns()
        found.append(limit > 0)
        if not limit:
            spinning.slept(sleeping)
        elif spun <= limit:
            spinning.hit()
        else:
            spinning.missed()
    return found


def test_waits_spin_where_that_is_shorter() -> None:
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 100, 80 * US, 40 * US)
    found = waits(spinning, 1_000, 80 * US, 40 * US)
    assert sum(found) >= 960


def test_one_of_many_sleeps_to_be_compared_with() -> None:
    """Else nothing would tell that other work has come and made spinning the slower way."""
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 100, 80 * US, 40 * US)
    assert not all(waits(spinning, LOOK_AGAIN + 1, 80 * US, 40 * US))


def test_hardly_any_wait_spins_where_that_takes_longer() -> None:
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 5_000, 30 * US, 200 * US)
    assert sum(waits(spinning, 10 * (REST + TRIES), 30 * US, 200 * US)) == 10 * TRIES


def test_spinning_that_is_not_clearly_shorter_is_a_miss() -> None:
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 5_000, 30 * US, 30 * US)
    assert sum(waits(spinning, 10 * (REST + TRIES), 30 * US, 30 * US)) == 10 * TRIES


def test_first_waits_that_spin_may_be_no_shorter() -> None:
    """The processes of the ring wake each other where they slept before, until they have moved to one core."""
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 5_000, 80 * US, 200 * US)
    row, rows = 0, 0
    for _ in range(3_000):
        [spins] = waits(spinning, 1, 80 * US, 90 * US if row < TRIES - 1 else 40 * US)
        row = row + 1 if spins else 0
        rows += spins
    assert rows > 2_000


def test_long_waits_never_spin() -> None:
    spinning = SpinOrSleep(LONGEST_NS)
    assert not any(waits(spinning, 1_000, LONGEST_NS, 0))


def test_waits_stop_spinning_when_the_cores_get_other_work() -> None:
    """Then a sleep is shorter than before, as whoever is woken gets the core of who wakes it."""
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 1_000, 80 * US, 40 * US)
    waits(spinning, 3_000, 20 * US, 60 * US)
    assert sum(waits(spinning, 1_000, 20 * US, 60 * US)) <= (1_000 // REST + 1) * TRIES


def test_waits_spin_again_when_the_cores_are_idle_again() -> None:
    spinning = SpinOrSleep(LONGEST_NS)
    waits(spinning, 4_000, 20 * US, 60 * US)
    waits(spinning, 4 * REST, 80 * US, 40 * US)
    assert sum(waits(spinning, 1_000, 80 * US, 40 * US)) >= 960


def test_a_few_long_sleeps_do_not_make_spinning_look_short() -> None:
    """On a busy machine some waits last milliseconds: they are compared with the usual one."""
    spinning = SpinOrSleep(LONGEST_NS)
    for _ in range(400):
        for lasted in (30 * US, 30 * US, 30 * US, 5_000 * US):
            waits(spinning, 1, lasted, 100 * US)
    found = [waits(spinning, 1, 30 * US, 100 * US)[0] for _ in range(10 * (REST + TRIES))]
    assert sum(found) == 10 * TRIES
