"""A class that this process has unpickled is pickled as before."""

import cloudpickle

from raysim.runtime.class_copies import restore


class Base:
    """Found under no name: pickled by value."""

    limit = 3

    def __init__(self):
        self.value = self.limit

    @staticmethod
    def twice(x):
        return 2 * x

    def read(self):
        return self.value


class Made(Base):
    __doc__ = Base.__doc__


HIDDEN = Base, Made
del Base, Made


def pickled():
    restore(HIDDEN[1])
    return cloudpickle.dumps((HIDDEN[1], None), protocol=5)


def test_a_class_that_was_unpickled_here_is_pickled_as_before():
    Base, Made = HIDDEN
    first = pickled()
    function = vars(Base)["read"]
    cls, _ = cloudpickle.loads(first)
    assert cls is Made, "cloudpickle knows it"
    assert vars(Base)["read"] is not function, "and has given it copies"
    assert pickled() == first
    assert vars(Base)["read"] is function


def test_what_a_program_has_changed_stays(monkeypatch):
    Base, Made = HIDDEN
    cloudpickle.loads(pickled())
    monkeypatch.setattr(Base, "read", lambda self: 7)
    monkeypatch.setattr(Base, "limit", 4)
    monkeypatch.setattr(Base, "__doc__", "Another.")
    restore(Made)
    assert Base().read() == 7
    assert (Base.limit, Base.__doc__) == (4, "Another.")


def test_functions_and_classes_of_functions_are_left_alone():
    class Local:
        pass

    restore(Local)
    restore(pickled)
    assert not hasattr(Local, "restored")
