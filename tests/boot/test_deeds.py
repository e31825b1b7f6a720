"""What the operator's door passes on, whatever comes through it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apex.messages import Control, Kind, Message
from wattwheel.boot.deeds import Deed, deed_of, do

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
OF_HANDS = (Control.PRESS, Control.CONTACT, Control.SENSOR, Control.FEE, Control.COMMISSION)
NAMES = st.sampled_from(
    (
        *("press", "long", "seconds", "stuck", "contact", "position", "relay_sticks", "clock_stops"),
        *("sensor", "value", "fee", "commission", "ask"),
    )
)


@given(st.dictionaries(NAMES, JSON | st.sampled_from(("up", "meter-cover", "temperature", "refund 5")), max_size=4))
def test_any_request_is_a_deed_or_none(request_):
    deed = deed_of(request_)
    assert deed is None or (isinstance(deed, Deed) and deed.control in OF_HANDS)


@pytest.mark.parametrize(
    ("asked", "control", "data"),
    [
        ({"press": "up"}, Control.PRESS, b"up"),
        ({"press": "down", "long": True}, Control.PRESS, b"down+"),
        ({"press": "up", "seconds": 5}, Control.PRESS, b"up++"),
        ({"contact": "meter-cover", "position": "open"}, Control.CONTACT, b"meter-cover open"),
        ({"contact": "magnetic-field", "position": "absent"}, Control.CONTACT, b"magnetic-field absent"),
        (
            {"contact": "security-element", "position": "00112233aabbCCDD"},
            Control.CONTACT,
            b"security-element 00112233aabbCCDD",
        ),
        ({"press": "up", "stuck": True}, Control.PRESS, b"up+++"),
        ({"sensor": "clock-battery", "value": 2.5}, Control.SENSOR, b"clock-battery 2.5"),
        ({"sensor": "temperature", "value": -3}, Control.SENSOR, b"temperature -3"),
        ({"sensor": "temperature", "value": "warm"}, Control.SENSOR, b"temperature nothing"),
        ({"fee": "refund 5"}, Control.FEE, b"refund 5"),
        ({"relay_sticks": True}, Control.CONTACT, b"\1"),
        ({"clock_stops": True}, Control.CONTACT, b"\1"),
        ({"clock_stops": False}, Control.CONTACT, b"\0"),
        ({"relay_sticks": False}, Control.CONTACT, b"\0"),
        ({"commission": True}, Control.COMMISSION, b""),
    ],
)
def test_deeds(asked, control, data):
    deed = deed_of(asked)
    assert (deed.control, deed.data) == (control, data)


@pytest.mark.parametrize(
    "asked",
    [
        {"press": "left"},
        {"contact": "window", "position": "open"},
        {"contact": "meter-cover"},
        {"contact": "meter-cover", "position": "ajar"},
        {"contact": "security-element", "position": "0011"},
        {"contact": "security-element", "position": "0011223344556677 "},
        {"contact": "security-element", "position": "\u0661" * 16},
        {"fee": "f\u00fcnf"},
        {"press": []},
        {"sensor": "nose"},
        {"relay_sticks": 1},
        {"clock_stops": "yes"},
        {"commission": 1},
        {},
    ],
)
def test_no_deeds(asked):
    assert deed_of(asked) is None


class Bus:
    """A bus that answers at once, with `error`, or is full."""

    def __init__(self, error=0, is_full=False, data=b""):
        self.error, self.is_full, self.data = error, is_full, data

    def ask(self, control, di, data, on_reply):
        if not self.is_full:
            on_reply(Message(Kind.REPLY, control, di, data=self.data, error=self.error))
        return not self.is_full


@pytest.mark.parametrize("bus", [Bus(1), Bus(is_full=True), None])
@pytest.mark.parametrize(
    "asked",
    [
        {"press": "up"},
        {"contact": "meter-cover", "position": "open"},
        {"sensor": "temperature", "value": 1},
        {"fee": "refund 5"},
        {"relay_sticks": True},
    ],
)
def test_each_is_answered_once(asked, bus):
    replies = []
    do(deed_of(asked), Bus(), replies.append)
    do(deed_of(asked), bus, replies.append)
    assert ["refused" in reply for reply in replies] == [False, True]


def test_commissioning_says_what_it_has_ended():
    replies = []
    for data in (b"\1", b"\0", b""):
        do(deed_of({"commission": True}), Bus(data=data), replies.append)
    do(deed_of({"press": "up"}), Bus(data=b"\1"), replies.append)
    assert [reply.get("was_in_factory_mode") for reply in replies] == [True, False, False, None]
    assert [reply.get("commissioned") for reply in replies] == [True, True, True, None]
