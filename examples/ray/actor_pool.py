"""A pool of actors: work for objects that are costly to make, on as many of them as there should be.

Each `Sieve` prepares a table once, and then answers many questions from it. `ActorPool` hands the next
question to whichever actor is free: `map` gives the answers in the order of the questions, `map_unordered`
as they come, and `submit` with `get_next` is for those who want to do it themselves.
"""

import ray
from ray.util import ActorPool


@ray.remote
class Sieve:
    def __init__(self, limit):
        self.is_prime = bytearray([0, 0]) + bytearray([1]) * (limit - 1)
        for number in range(2, int(limit**0.5) + 1):
            if self.is_prime[number]:
                multiples = range(number * number, limit + 1, number)
                self.is_prime[number * number :: number] = bytes(len(multiples))

    def count(self, begin, end):
        return sum(self.is_prime[begin:end])

    def twins(self, begin, end):
        numbers = range(begin, end)
        return [(n, n + 2) for n in numbers if self.is_prime[n] and self.is_prime[n + 2]]


def main():
    ray.init(num_cpus=4)
    pool = ActorPool([Sieve.remote(200_000) for _ in range(3)])
    spans = [(begin, begin + 20_000) for begin in range(0, 160_000, 20_000)]

    counts = list(pool.map(lambda sieve, span: sieve.count.remote(*span), spans))
    print(f"primes in each span: {counts}")

    found = pool.map_unordered(lambda sieve, span: sieve.twins.remote(*span), spans)
    twins = sorted(pair for part in found for pair in part)
    print(f"twins: {len(twins)}, from {twins[0]} to {twins[-1]}")

    for span in spans[:2]:
        pool.submit(lambda sieve, span: sieve.count.remote(*span), span)
    while pool.has_next():
        print(f"taken one after another: {pool.get_next()}")
    print(f"an actor is free: {pool.has_free()}")


if __name__ == "__main__":
    main()
