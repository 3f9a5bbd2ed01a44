import pytest

from raysim.spec.ids import named_node_id
from raysim.spec.labels import (
    NODE_ID,
    Expression,
    Operator,
    check_labels,
    describe,
    matches,
    of_node,
    parse_selector,
)

IN, NOT_IN = Operator.IN, Operator.NOT_IN
LONG = "x" * 63


@pytest.mark.parametrize(
    ("value", "operator", "values"),
    [
        ("a", IN, ("a",)),
        ("!a", NOT_IN, ("a",)),
        ("in(a)", IN, ("a",)),
        ("in(a,b)", IN, ("a", "b")),
        ("in(a, b)", IN, ("a", "b")),
        ("!in(a,b)", NOT_IN, ("a", "b")),
        ("", IN, ("",)),
        ("A-b_c.1", IN, ("A-b_c.1",)),
        (LONG, IN, (LONG,)),
        ("in", IN, ("in",)),
    ],
)
def test_values_of_a_selector(value, operator, values):
    assert parse_selector({"zone": value}) == (Expression("zone", operator, values),)


@pytest.mark.parametrize(
    "value",
    [
        "!",
        "!!a",
        "in()",
        "in(a",
        "in(a,,b)",
        "in(a,  b)",
        "a b",
        "-a",
        "a-",
        "a@b",
        "in(a)b",
        LONG + "x",
    ],
)
def test_values_that_are_none(value):
    with pytest.raises(ValueError, match="Invalid label selector value"):
        parse_selector({"zone": value})


@pytest.mark.parametrize("value", [1, None, ["a"]])
def test_values_of_a_selector_are_text(value):
    with pytest.raises(TypeError, match="must be str"):
        parse_selector({"zone": value})


@pytest.mark.parametrize("key", ["zone", "ray.io/node-id", "a.b-c/d_e", LONG])
def test_keys(key):
    check_labels({key: "a"})


@pytest.mark.parametrize("key", ["", "-a", "a ", "a/b/c", "/a", "a/", "a..b/c", "a_/b", LONG + "x"])
def test_keys_that_are_none(key):
    with pytest.raises(ValueError, match="Invalid label key"):
        check_labels({key: "a"})


@pytest.mark.parametrize("value", ["a b", "-a", 1, "in(a)"])
def test_values_that_no_label_has(value):
    with pytest.raises(ValueError, match="of label 'zone'"):
        check_labels({"zone": value})


@pytest.mark.parametrize(
    ("expression", "with_a", "with_b", "without"),
    [
        (Expression("zone", IN, ("a",)), True, False, False),
        (Expression("zone", IN, ("a", "b")), True, True, False),
        (Expression("zone", NOT_IN, ("a",)), False, True, True),
        (Expression("zone", Operator.EXISTS), True, True, False),
        (Expression("zone", Operator.DOES_NOT_EXIST), False, False, True),
    ],
)
def test_what_an_expression_selects(expression, with_a, with_b, without):
    nodes = ({"zone": "a"}, {"zone": "b"}, {"other": "a"})
    assert [expression.matches(labels) for labels in nodes] == [with_a, with_b, without]


def test_all_expressions_of_a_selector_must_match():
    selector = parse_selector({"zone": "a", "disk": "!hdd"})
    assert matches(selector, {"zone": "a", "disk": "ssd"})
    assert matches(selector, {"zone": "a"})
    assert not matches(selector, {"zone": "a", "disk": "hdd"})
    assert matches((), {})


def test_every_node_has_its_id_as_a_label_whatever_it_says_itself():
    node_id = named_node_id("here")
    labels = of_node(node_id, {"zone": "a", NODE_ID: "another"})
    assert labels == {"zone": "a", NODE_ID: node_id.hex()}


def test_selectors_read_as_conditions():
    assert (
        describe(parse_selector({"zone": "in(a,b)", "disk": "!hdd"}))
        == "zone=in(a, b) and disk!=hdd"
    )
    assert describe(()) == "any"
