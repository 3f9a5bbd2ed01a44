"""`get` of several references, some of which are at hand already."""

import time


def test_a_value_in_use_does_not_end_the_wait_for_those_behind_it(ray):
    """Its memory is mapped here, so that it is at hand at once."""

    @ray.remote
    def make():
        return bytes(1_000_000)

    @ray.remote
    def later(value):
        time.sleep(0.5)
        return value

    made = make.remote()
    first = ray.get(made)
    assert ray.get([made, later.remote(2), later.remote(3)]) == [first, 2, 3]
    held = ray.put(memoryview(bytearray(1_000_000)).tobytes())
    import numpy

    array = ray.put(numpy.zeros(1_000_000))
    view = ray.get(array)
    found = ray.get([array, held, later.remote(4)])
    assert found[2] == 4
    assert len(found[1]) == 1_000_000
    assert (found[0] == view).all()
