import json

import pytest

from raysim.spec.runtime_env import expanded, merged, read_env, shown, write_env


def text(**fields: object) -> str:
    return write_env(fields)


def test_equal_environments_are_equal_texts() -> None:
    one = text(working_dir="gcs://a.zip", env_vars={"B": "2", "A": "1"})
    other = text(env_vars={"A": "1", "B": "2"}, working_dir="gcs://a.zip")
    assert one == other


def test_nothing_is_the_plain_environment() -> None:
    assert write_env({}) == ""
    assert merged("", "") == ""
    assert not read_env("").needs_setting_up
    assert shown("") == "{}"


def test_variables_are_merged_one_by_one_and_other_fields_replaced() -> None:
    parent = text(
        env_vars={"A": "1", "B": "2"}, py_modules=["gcs://a.zip"], working_dir="gcs://w.zip"
    )
    child = text(env_vars={"B": "3"}, py_modules=["gcs://b.zip"])
    assert json.loads(merged(parent, child)) == {
        "env_vars": {"A": "1", "B": "3"},
        "py_modules": ["gcs://b.zip"],
        "working_dir": "gcs://w.zip",
    }


def test_whoever_asks_for_nothing_inherits_everything() -> None:
    parent = text(env_vars={"A": "1"})
    assert merged(parent, "") == parent
    assert merged("", parent) == parent


@pytest.mark.parametrize(
    ("inherited", "asked"), [("pip", "uv"), ("uv", "pip"), ("conda", "pip"), ("pip", "image_uri")]
)
def test_what_does_not_come_together_is_not_merged(inherited: str, asked: str) -> None:
    packages = {"packages": ["hammer"]}
    with pytest.raises(ValueError, match=f"{inherited} is inherited, and {asked} is asked for"):
        merged(text(**{inherited: packages}), text(**{asked: packages}))


def test_a_hook_that_is_named_takes_the_place_of_a_pickled_one() -> None:
    parent = text(worker_process_setup_hook="prepare", _setup_hook="AAAA")
    child = text(worker_process_setup_hook="shed.prepare")
    spec = read_env(merged(parent, child))
    assert (spec.worker_process_setup_hook, spec.pickled_hook) == ("shed.prepare", "")


def test_people_do_not_see_the_pickled_hook() -> None:
    env = text(worker_process_setup_hook="prepare", _setup_hook="AAAA")
    assert json.loads(shown(env)) == {"worker_process_setup_hook": "prepare"}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("${HOME}/x", "/own/x"),
        ("$HOME/x", "/own/x"),
        ("${NONE}/x", "/x"),
        ("$NONE/x", "$NONE/x"),
        ("${EARLIER}x", "oldx"),
        ("5$", "5$"),
    ],
)
def test_references_to_variables(value: str, becomes: str) -> None:
    variables = {"EARLIER": "old", "VALUE": value}
    environ = {"HOME": "/own", "EARLIER": "another"}
    assert expanded(variables, environ)["VALUE"] == becomes


def test_a_variable_may_be_added_to_itself() -> None:
    assert expanded({"PATH": "/mine:${PATH}"}, {"PATH": "/bin"}) == {"PATH": "/mine:/bin"}


def test_what_a_node_has_to_do_for_an_environment() -> None:
    assert not read_env(text(env_vars={"A": "1"})).needs_setting_up
    assert read_env(text(working_dir="gcs://w.zip")).needs_setting_up
    assert not read_env(text(working_dir="gcs://w.zip")).needs_python
    assert read_env(text(pip={"packages": ["hammer"]})).needs_python
    assert read_env(text(py_modules=["gcs://m.zip"], working_dir="gcs://w.zip")).packages == [
        "gcs://m.zip",
        "gcs://w.zip",
    ]


def test_how_long_it_may_take() -> None:
    assert read_env(text(working_dir="gcs://w.zip")).timeout_s == 600
    assert read_env(text(config={"setup_timeout_seconds": -1})).timeout_s == -1
