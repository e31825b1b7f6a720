"""The message on the port `panel`."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.panel_state import PanelState, PasswordChange, panel_state_of

changes = st.builds(PasswordChange, st.integers(1, 10**6), st.datetimes(timezones=st.just(UTC)), st.integers(0, 9))


@given(st.builds(PanelState, st.booleans(), st.booleans(), st.booleans(), st.tuples(changes, changes)))
def test_whoever_listens_learns_what_was_told(told):
    assert panel_state_of(told.message()) == told


def test_before_anything_was_told_nothing_is_allowed_and_nothing_suspended():
    assert panel_state_of(None) == panel_state_of(b"{}") == PanelState(False, False, False, ())


def test_what_a_newer_service_tells_besides_is_passed_over():
    message = b'{"programming_key":true,"later":{"a":[1]},"password_changes":[[3,"2026-11-20T12:00:00Z",4]]}'
    change = PasswordChange(3, datetime(2026, 11, 20, 12, tzinfo=UTC), 4)
    assert panel_state_of(message) == PanelState(True, password_changes=(change,))
