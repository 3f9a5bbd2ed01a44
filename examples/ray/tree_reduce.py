"""Tree reduce: combine many values pairwise, in the order in which they stand.

Every task names the two tasks whose results it combines and starts as soon as both are there. The driver
waits once, for the root: 64 leaves are combined in 6 steps instead of 63. Here the values are matrices,
whose product depends on their order, and whose powers hold Fibonacci's numbers.
"""

import ray


@ray.remote
def leaf():
    return ((1, 1), (1, 0))


@ray.remote
def combine(left, right):
    columns = list(zip(*right, strict=True))
    return tuple(
        tuple(sum(a * b for a, b in zip(row, column, strict=True)) for column in columns)
        for row in left
    )


def reduce_in_pairs(refs):
    """References in, one reference out; the same work in a chain would take `len(refs)` steps."""
    steps = 0
    while len(refs) > 1:
        pairs = zip(refs[::2], refs[1::2], strict=False)
        odd_one_out = refs[len(refs) // 2 * 2 :]
        refs = [combine.remote(left, right) for left, right in pairs] + odd_one_out
        steps += 1
    return refs[0], steps


def main():
    ray.init(num_cpus=4)
    for leaves in (10, 64, 100):
        root, steps = reduce_in_pairs([leaf.remote() for _ in range(leaves)])
        (_, fibonacci), _ = ray.get(root)
        print(f"{leaves} matrices in {steps} steps: the Fibonacci number is {fibonacci}")


if __name__ == "__main__":
    main()
