import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.api.signature import Signature


def plain(a, b=2):
    """Positional."""


def variadic(a, *rest):
    """Any number."""


def keyword_only(a, *, key, other=1):
    """One required keyword."""


def positional_only(a, b=1, /, **rest):
    """And any keyword."""


FUNCTIONS = [plain, variadic, keyword_only, positional_only, lambda: None]


def refusal(call, *args, **kwargs):
    """What a call is refused with; None when it is not."""
    try:
        call(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


@given(
    function=st.sampled_from(FUNCTIONS),
    args=st.lists(st.none(), max_size=4),
    names=st.sets(st.sampled_from(["a", "b", "key", "other", "new"])),
)
def test_refuses_exactly_what_python_refuses(function, args, names):
    """`inspect` has the words, but is too strict with positional-only names beside `**rest`."""
    kwargs = dict.fromkeys(sorted(names))
    fits = refusal(function, *args, **kwargs) is None
    expected = None if fits else refusal(inspect.signature(function).bind, *args, **kwargs)
    assert refusal(Signature.of(function).check, tuple(args), kwargs) == expected


def test_first_parameter_of_a_method_is_not_given_by_callers():
    def method(self, a):
        """One argument beside self."""

    signature = Signature.of(method, skip_first=True)
    signature.check((1,), {})
    with pytest.raises(TypeError):
        signature.check((1, 2), {})


def test_method_without_named_self_takes_anything():
    def method(*args):
        """self is args[0]."""

    Signature.of(method, skip_first=True).check((1, 2, 3), {})


def test_wrapped_function_is_checked_as_what_it_wraps():
    import functools

    @functools.wraps(plain)
    def wrapper(*args, **kwargs):
        return plain(*args, **kwargs)

    with pytest.raises(TypeError):
        Signature.of(wrapper).check((), {})
