"""What a call returned is as it was when it returned, whatever the process does next."""

import numpy as np


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
