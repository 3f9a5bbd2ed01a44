"""A shuffle: every mapper leaves a block for every reducer, and reducers sum what they read."""

import time

import ray

MAPPERS, REDUCERS = 16, 8
BLOCK_BYTES = 1_000_000


@ray.remote(num_returns=REDUCERS)
def split(number):
    time.sleep(0.2)
    return [bytes([number]) * BLOCK_BYTES for _ in range(REDUCERS)]


@ray.remote
def total(*blocks):
    time.sleep(0.3)
    return sum(block[0] * len(block) for block in blocks)


def main():
    ray.init()
    parts = [split.remote(number) for number in range(MAPPERS)]
    totals = ray.get([total.remote(*column) for column in zip(*parts, strict=True)])
    assert totals == [sum(range(MAPPERS)) * BLOCK_BYTES] * REDUCERS


if __name__ == "__main__":
    main()
