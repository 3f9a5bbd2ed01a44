"""Three actors in a row. The middle one takes longest, so it sets the pace: 200 items of 500 ms."""

import time

import raysim as ray

ITEMS = 200
UNDER_WAY = 8
STAGES = {"load": 0.1, "transform": 0.5, "write": 0.2}


@ray.remote
class Stage:
    def __init__(self, name):
        self.seconds = STAGES[name]

    def work(self, item):
        time.sleep(self.seconds)
        return item


def main():
    ray.init()
    load, transform, write = (Stage.remote(name) for name in STAGES)
    begun = time.monotonic()
    under_way, done = [], []
    for item in range(ITEMS):
        if (
            len(under_way) == UNDER_WAY
        ):  # Without a bound, all of what is loaded would wait in memory.
            done.append(ray.get(under_way.pop(0)))
        under_way.append(write.work.remote(transform.work.remote(load.work.remote(item))))
    done += ray.get(under_way)
    took = time.monotonic() - begun
    assert done == list(range(ITEMS))
    slowest = max(STAGES.values())
    assert ITEMS * slowest <= took < 1.05 * ITEMS * slowest, took
    print(
        f"{ITEMS} items in {took:.1f} s: {took / ITEMS:.3f} s each, the slowest stage takes {slowest:g} s"
    )


if __name__ == "__main__":
    main()
