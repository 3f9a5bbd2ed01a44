import pytest

from raysim.faults import Order, parse_order


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("fifo", Order()),
        ("random", Order("random")),
        ("random(bound=1ms)", Order("random", bound_ns=1_000_000)),
        ("pct(depth=4)", Order("pct", depth=4)),
        ("delayed(depth=2, bound=10us)", Order("delayed", depth=2, bound_ns=10_000)),
        ("pct(depth=3, length=500)", Order("pct", length=500)),
    ],
)
def test_an_order_is_read_and_shown(text, order):
    assert parse_order(text) == order
    assert parse_order(str(order)) == order


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("randon", "did you mean random"),
        ("pct(deep=3)", "give bound=1ms, depth=3"),
        ("pct(depth=0)", "give bound=1ms, depth=3"),
        ("random(bound=1)", "no unit"),
    ],
)
def test_a_wrong_order_is_refused_with_what_was_meant(text, says):
    with pytest.raises(ValueError, match=says):
        parse_order(text)


def test_an_order_does_not_show_what_is_as_usual():
    assert str(Order("pct")) == "pct(depth=3)"
    assert str(Order("delayed", length=500)) == "delayed(depth=3, length=500)"
