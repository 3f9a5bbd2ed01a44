"""Generators that the tests of generators share."""

import os
import time


def values(ray, generator):
    """Of each item its value, or the name of what it raises."""
    found = []
    for ref in generator:
        try:
            found.append(ray.get(ref))
        except ray.exceptions.RayError as error:
            found.append(type(error).__name__)
    return found


def counting(ray):
    """A task that yields 0, 1, ..."""

    @ray.remote
    def count(n):
        for i in range(n):  # noqa: UP028  (Ray cannot iterate over what is no generator)
            yield i

    return count


def producer(ray):
    """An actor whose methods are generators."""

    @ray.remote(num_cpus=0)
    class Producer:
        def __init__(self):
            self.calls = 0

        def count(self, n):
            self.calls += 1
            for i in range(n):
                yield i + 10 * self.calls

        def plain(self):
            return self.calls

        def failing(self):
            yield 1
            raise KeyError("boom")

        @ray.method(num_returns=2)
        def pair(self):
            yield "a"
            yield "b"

        def dying(self):
            yield 1
            time.sleep(0.5)
            os._exit(1)

    return Producer.remote()


def log_of(ray):
    """An actor that keeps what it is given."""

    @ray.remote(num_cpus=0)
    class Log:
        def __init__(self):
            self.seen = []

        def add(self, what):
            self.seen.append(what)

        def get(self):
            return self.seen

    return Log.remote()
