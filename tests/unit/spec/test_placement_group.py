import msgspec
import pytest

from raysim.spec.address import NOWHERE
from raysim.spec.ids import PlacementGroupId
from raysim.spec.placement_group import (
    GroupSpec,
    GroupStrategy,
    base_name,
    cpus_of,
    fits_a_bundle,
    in_group,
    offered,
    plain,
)
from raysim.spec.resources import add, fits, fixed

GROUP = PlacementGroupId(bytes(range(18)))
HEX = GROUP.hex()
NEED = fixed({"CPU": 1, "GPU": 0.5, "node:10.0.0.1": 0.1})


@pytest.mark.parametrize("index", [-1, 0, 12])
def test_plain_undoes_what_a_group_does_to_names(index: int) -> None:
    assert plain(in_group(NEED, GROUP, index)) == NEED


def test_plain_leaves_plain_resources_alone() -> None:
    assert plain(NEED) == NEED


def test_request_in_a_bundle_counts_in_the_bundle_and_in_the_group() -> None:
    assert in_group(fixed({"CPU": 2}), GROUP, 1) == {
        f"CPU_group_{HEX}": 20_000,
        f"CPU_group_1_{HEX}": 20_000,
        f"bundle_group_{HEX}": 10,
        f"bundle_group_1_{HEX}": 10,
    }


def test_request_for_nothing_still_names_the_group() -> None:
    assert in_group({}, GROUP) == {f"bundle_group_{HEX}": 10}


def test_bundles_of_a_node_add_up_to_the_groups_part() -> None:
    names = offered({0: fixed({"CPU": 1}), 3: fixed({"CPU": 2})}, GROUP)
    assert names[f"CPU_group_{HEX}"] == 30_000
    assert names[f"CPU_group_3_{HEX}"] == 20_000
    assert names[f"bundle_group_{HEX}"] == 20_000_000


def test_offers_of_two_attempts_add_up_as_one() -> None:
    """Bundles of one group may come to a node one after another."""
    bundles = {0: fixed({"CPU": 1}), 3: fixed({"CPU": 2})}
    apart = offered({0: bundles[0]}, GROUP)
    add(apart, offered({3: bundles[3]}, GROUP))
    assert apart == offered(bundles, GROUP)


def test_what_fits_a_bundle_fits_its_offer() -> None:
    bundle = fixed({"CPU": 2})
    for cpus, wanted in ((2, True), (3, False)):
        need = fixed({"CPU": cpus})
        assert fits_a_bundle(need, [fixed({"CPU": 1}), bundle]) is wanted
        assert fits(in_group(need, GROUP, 0), offered({0: bundle}, GROUP)) is wanted


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("CPU", ("CPU", None)),
        (f"CPU_group_{HEX}", ("CPU", None)),
        (f"CPU_group_7_{HEX}", ("CPU", 7)),
        (f"my_group_2_group_{HEX}", ("my_group_2", None)),
        ("my_group_2", ("my_group_2", None)),
    ],
)
def test_the_resource_behind_a_name(name: str, base: tuple[str, int | None]) -> None:
    assert base_name(name) == base


def test_cpus_are_lent_under_every_name_they_are_held_by() -> None:
    held = in_group(fixed({"CPU": 1, "GPU": 1}), GROUP, 0)
    assert cpus_of(held) == {f"CPU_group_{HEX}": 10_000, f"CPU_group_0_{HEX}": 10_000}


@pytest.mark.parametrize(
    "changed",
    [{"bundles": [{"CPU": -1}]}, {"selectors": [()]}, {"selectors": [(), (), ()]}],
    ids=["less than nothing", "too few selectors", "too many selectors"],
)
def test_a_group_of_another_process_that_nobody_could_place_is_no_group(
    changed: dict[str, object],
) -> None:
    """Refused as it is read: the GCS would fail at it whenever it tries to place what waits."""
    spec = GroupSpec(PlacementGroupId(b"g"), [{"CPU": 1}, {"CPU": 1}], GroupStrategy.PACK, NOWHERE)
    fields = {**msgspec.to_builtins(spec), **changed}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, GroupSpec)
