"""A figure meets its target or does not; without a peer there is no verdict."""

import pytest

from wattwheel.model.errors import BadInput
from wattwheel.testing.benchmarks import NAMES, run
from wattwheel.testing.benchmarks.result import Result, median


@pytest.mark.parametrize(
    ("ratio", "at_most", "met"),
    [(2.5, False, True), (2.49, False, False), (2.5, True, True), (2.51, True, False), (None, False, None)],
)
def test_a_ratio_beside_a_peer(ratio, at_most, met):
    result = Result(name="x", value=1.0, unit="u", peers={"p": 1.0}, ratio=ratio, target=2.5, at_most=at_most)
    assert result.met is met
    assert result.document()["met"] is met


@pytest.mark.parametrize(("value", "met"), [(0.4, True), (0.6, False), (None, None)])
def test_a_value_without_a_peer(value, met):
    assert Result(name="boot", value=value, unit="s", target=0.5, at_most=True).met is met


def test_the_document_has_the_keys_of_the_contract():
    document = Result(name="codec", value=1.0, unit="pairs/s", peers={"dlt645 3.2.0": None}, target=3.0).document()
    assert {"name", "value", "unit", "peers", "ratio", "target", "met"} <= document.keys()
    assert document["met"] is None


def test_the_middle_of_figures():
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5


def test_every_name_of_the_contract_is_there():
    wanted = "codec chain reads_1 reads_64 reads_64_p99 boot memory idle_cpu written_per_day bus_rtt bus_oneway"
    assert set(wanted.split()) <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_an_unknown_name_is_refused_before_anything_runs():
    with pytest.raises(BadInput, match="no such benchmark; allowed: codec"):
        run(["codecs"])
