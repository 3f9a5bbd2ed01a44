"""The clock and chance that simulated programs see, whichever way they ask."""

# ruff: noqa: DTZ003, DTZ005, DTZ011  (that programs ask for naive dates is the point)

import os
import pickle
import random
import secrets
import tempfile
import time
import uuid
from datetime import UTC, date, datetime

import pytest

import raysim as ray

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


class Stamp(datetime):
    """A program's own kind of datetime."""


def test_every_way_to_ask_for_the_date_gives_the_virtual_one(init):
    init()

    @ray.remote
    def dates():
        time.sleep(3600)
        return {
            "now": datetime.now(UTC),
            "utcnow": datetime.utcnow().replace(tzinfo=UTC),
            "today": datetime.today().astimezone(UTC),
            "date": date.today(),
            "gmtime": time.gmtime()[:4],
            "localtime": time.localtime()[:3],
            "strftime": time.strftime("%Y"),
            "ctime": time.ctime()[-4:],
            "asctime": time.asctime()[-4:],
        }

    seen = ray.get(dates.remote())
    for name in ("now", "utcnow", "today"):
        assert 3600 <= (seen.pop(name) - EPOCH).total_seconds() < 3610
    assert seen == {
        "date": date(2024, 1, 1),
        "gmtime": (2024, 1, 1, 1),
        "localtime": (2024, 1, 1),
        "strftime": "2024",
        "ctime": "2024",
        "asctime": "2024",
    }


def test_datetime_stays_the_type_that_it_was(init):
    before = datetime.now(UTC)
    init()
    now = Stamp.now(UTC)
    assert type(now) is Stamp
    assert type(datetime.now()) is datetime
    assert isinstance(before, datetime)
    assert pickle.loads(pickle.dumps(now)) == now
    assert before > now  # The real one is later than the virtual one.


def test_what_a_given_moment_means_does_not_change(init):
    init()
    assert time.gmtime(0)[0] == 1970
    assert time.strftime("%Y", time.gmtime(0)) == "1970"
    assert time.asctime(time.gmtime(0))[-4:] == "1970"


def test_the_real_date_is_back_after_the_end(init):
    before = (vars(datetime)["now"], vars(datetime)["utcnow"], time.localtime, random.Random.seed)
    init()
    assert datetime.now().year == 2024
    ray.shutdown()
    after = (vars(datetime)["now"], vars(datetime)["utcnow"], time.localtime, random.Random.seed)
    assert after == before
    assert datetime.now().year > 2024


def test_only_a_loop_that_reads_a_clock_uses_processor_time(init):
    init()
    begin = time.process_time()
    time.sleep(100)
    assert time.process_time() == begin
    while time.process_time() < begin + 0.01:
        pass
    assert time.thread_time() >= begin + 0.01


def test_clocks_that_are_asked_for_by_number_are_virtual(init):
    init()
    wall, steady = time.clock_gettime(time.CLOCK_REALTIME), time.clock_gettime(time.CLOCK_MONOTONIC)
    time.sleep(50)
    assert time.clock_gettime(time.CLOCK_REALTIME) - wall == pytest.approx(50)
    assert time.clock_gettime(time.CLOCK_MONOTONIC) - steady == pytest.approx(50)


def everything():
    numpy = pytest.importorskip("numpy")
    return [
        random.random(),
        random.Random().random(),
        random.SystemRandom().random(),
        os.urandom(4),
        os.getrandom(4),
        secrets.token_hex(4),
        uuid.uuid1(),
        uuid.uuid4(),
        float(numpy.random.rand()),
        float(numpy.random.default_rng().random()),
        float(numpy.random.RandomState().rand()),
        os.path.basename(tempfile.mktemp()),
    ]


def test_every_source_of_chance_is_decided_by_the_seed(init):
    draw = ray.remote(everything)
    seen = []
    for seed in (1, 1, 2):
        init(seed=seed)
        seen.append([everything(), *ray.get([draw.remote() for _ in range(3)])])
        ray.shutdown()
    assert seen[0] == seen[1]
    for drawn, other in zip(seen[0], seen[2], strict=True):
        assert not [value for value in drawn[:-1] if value in other]


def test_what_a_task_draws_does_not_depend_on_what_others_draw(init):
    """Both run on the same worker, one after the other."""

    @ray.remote
    def draw(times):
        numpy = pytest.importorskip("numpy")
        drawn = [(random.random(), os.urandom(4), numpy.random.rand()) for _ in range(times)]
        return drawn[0]

    seen = []
    for times in (1, 5):
        init(cpus=1)
        ray.get(draw.remote(times))
        seen.append(ray.get(draw.remote(1)))
        ray.shutdown()
    assert seen[0] == seen[1]


def test_two_tasks_draw_differently_and_so_do_two_attempts(init):
    init(cpus=1)

    @ray.remote(max_retries=5, retry_exceptions=True)
    def lucky():
        drawn = random.random()
        if drawn < 0.6:
            raise RuntimeError(drawn)
        return drawn

    drawn = ray.get([lucky.remote() for _ in range(8)])
    assert len(set(drawn)) == 8


def test_an_actor_goes_on_with_the_seed_that_it_set(init):
    init()

    @ray.remote
    class Dice:
        def __init__(self):
            random.seed(7)

        def throw(self):
            return random.random()

    dice = Dice.remote()
    own = random.Random(7)
    assert ray.get([dice.throw.remote() for _ in range(3)]) == [own.random() for _ in range(3)]


def test_numpy_that_a_task_imports_itself_is_seeded():
    """In an interpreter that has not imported it before."""
    import subprocess
    import sys

    pytest.importorskip("numpy")
    program = (
        "import sys, raysim\n"
        "raysim.init(backend='sim', num_cpus=1, seed=3)\n"
        "assert 'numpy.random' not in sys.modules\n"
        "@raysim.remote\n"
        "def draw():\n"
        "    import numpy\n"
        "    return numpy.random.rand()\n"
        "print(raysim.get(draw.remote()))\n"
        "raysim.shutdown()\n"
    )
    command = [sys.executable, "-c", program]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout != ""
