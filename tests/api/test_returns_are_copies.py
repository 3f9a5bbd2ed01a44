"""What a call returned is as it was when it returned, whatever the process does next."""

import numpy as np
import pytest


def test_array_of_an_actor_is_copied_before_its_next_call_changes_it(ray):
    @ray.remote
    class Grower:
        def __init__(self):
            self.values = np.zeros(100_000)

        def grow(self):
            self.values += 1
            return self.values

    grower = Grower.remote()
    refs = [grower.grow.remote() for _ in range(20)]
    assert [float(ray.get(ref).max()) for ref in refs] == list(range(1, 21))
    assert [float(ray.get(ref).min()) for ref in refs] == list(range(1, 21))


@pytest.mark.parametrize("size", [8_000, 800_000])
def test_array_of_an_actor_is_copied_though_more_calls_wait(ray, size):
    """The calls come together, and each changes what the one before has returned."""

    @ray.remote
    class Actor:
        def __init__(self):
            self.array = np.zeros(size // 8)

        def more(self):
            self.array += 1
            return self.array

    actor = Actor.remote()
    arrays = ray.get([actor.more.remote() for _ in range(20)], timeout=60)
    assert [set(array) for array in arrays] == [{number} for number in range(1, 21)]
