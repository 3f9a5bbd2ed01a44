"""A shuffle of 8 mappers and 8 reducers: 128 MiB, of which each reducer reads one part of every mapper's output."""

import raysim as ray

MAPPERS = REDUCERS = 8
PART = 2 << 20


@ray.remote(num_returns=REDUCERS)
def split(mapper):
    return [bytes([mapper]) * PART for _ in range(REDUCERS)]


@ray.remote
def join(*parts):
    return sorted({part[0] for part in parts}), sum(map(len, parts))


def main():
    ray.init()
    columns = [split.remote(mapper) for mapper in range(MAPPERS)]
    rows = [join.remote(*parts) for parts in zip(*columns, strict=True)]
    del columns
    for mappers, size in ray.get(rows):
        assert (mappers, size) == (list(range(MAPPERS)), MAPPERS * PART)
    print(f"{MAPPERS} x {REDUCERS} parts of {PART} bytes, {MAPPERS * REDUCERS * PART} in all")


if __name__ == "__main__":
    main()
