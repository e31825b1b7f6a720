"""Links between modules under TLS: who cannot show who it is neither hears nor speaks."""

from __future__ import annotations

import contextlib
import random

import pytest
import trustme
from tests.services.two_modules import ADDRESS, TwoModules
from tests.testing.drills.two_programs import two_programs

from wattwheel.model.errors import ConfigError
from wattwheel.services.tls_channel import names_in, tls_context


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """Files of TLS by the name on them; `stranger` is signed by another authority."""
    folder = tmp_path_factory.mktemp("papers")
    good, other = trustme.CA(), trustme.CA()
    good.cert_pem.write_to_path(folder / "authority.pem")
    made = {}
    for name, authority in (("east", good), ("west", good), ("stranger", other)):
        issued = authority.issue_cert(name, common_name=name)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        made[name] = {
            "certificate": str(folder / f"{name}.pem"),
            "key": str(folder / f"{name}.key"),
            "authority": str(folder / "authority.pem"),
        }
    return made


def test_messages_pass_and_cut_links_are_made_again(papers):
    two = TwoModules(east=papers["east"] | {"far_name": "west"}, west=papers["west"] | {"far_name": "east"})
    for _ in range(5):
        two.east.sender.send(100)
        two.west.sender.send(60)
        two.run(0.01)
        two.net.cut()
    two.settle()
    two.check()


@pytest.mark.parametrize(
    ("east", "west"),
    [
        ({}, {"certificate": "stranger"}),
        ({"certificate": "stranger"}, {}),
        ({"far_name": "north"}, {}),
        ({}, {"far_name": "north"}),
    ],
)
def test_a_far_end_that_cannot_show_who_it_is_gets_nothing(papers, east, west):
    def of(own, changes):
        if "certificate" in changes:
            stranger = papers[changes["certificate"]]
            return papers[own] | {"certificate": stranger["certificate"], "key": stranger["key"]}
        return papers[own] | changes

    two = TwoModules(east=of("east", east), west=of("west", west))
    two.east.sender.send(50)
    two.west.sender.send(50)
    two.run(10.0)
    assert two.east.taker.taken == two.west.taker.taken == []


def test_a_far_end_in_clear_gets_nothing(papers):
    two = TwoModules(east=papers["east"])
    two.east.sender.send(50)
    two.west.sender.send(50)
    two.run(10.0)
    assert two.east.taker.taken == two.west.taker.taken == []


def test_noise_at_the_door_disturbs_nobody(papers):
    two = TwoModules(east=papers["east"], west=papers["west"])
    chance = random.Random(1)
    for _ in range(5):
        stranger = two.net.knock(ADDRESS, two.east.bench.host.kernel_loop)
        stranger.write(chance.randbytes(300))
        two.run(0.05)
    two.east.sender.send(200)
    two.settle()
    two.check()


@pytest.mark.parametrize("missing", ["certificate", "key", "authority"])
def test_files_that_cannot_be_used_are_refused_by_name(papers, missing, tmp_path):
    files = papers["east"] | {missing: str(tmp_path / "none.pem")}
    with pytest.raises(ConfigError, match=r"none\.pem"):
        tls_context(True, files["certificate"], files["key"], files["authority"])


def test_names_of_a_certificate():
    found = {
        "subject": ((("countryName", "XX"),), (("commonName", "east"),)),
        "subjectAltName": (("DNS", "east.x"), ("IP", "1")),
    }
    assert names_in(found) == {"east", "east.x"}
    assert names_in({}) == set()


def test_two_real_modules_under_tls(papers, tmp_path):
    """In their walls, which let them read these three files and no other."""
    with contextlib.ExitStack() as stack:
        two = stack.enter_context(two_programs(tmp_path, papers["east"], papers["west"]))
        two.until_taken(200)
        assert two.wrong() == 0
