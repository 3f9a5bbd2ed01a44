import weakref

import numpy as np

from bench.workloads.objects import put_again


class Reference:
    """Of an object, as long as somebody has it."""


class Store:
    """Notes how many objects there are when one is put."""

    def __init__(self):
        self.alive = weakref.WeakSet()
        self.found = []

    def put(self, value):
        self.found.append(len(self.alive))
        reference = Reference()
        self.alive.add(reference)
        return reference


def test_the_object_put_before_is_gone_when_the_next_one_is_put():
    """pytest-benchmark keeps what a call returns until the next has returned: then there are two objects."""
    store = Store()
    operation = put_again(store, np.ones(1))
    results = [operation.call() for _ in range(3)]
    assert results == [None] * 3
    assert store.found == [0, 0, 0]
