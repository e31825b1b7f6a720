"""Security: who may change the meter. It keeps the passwords, the locks after wrong ones, and the programming key.

The rules are those of `model.authority`. Every attempt that changes a counter, a lock or a password is on the medium
before it is answered: pulling the plug gives no more tries. A level has no password until the settings or 18H give it
one, and without a password nothing is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext
from wattwheel.apex.store import Loading, SaveResult, StoreClient
from wattwheel.hil.panel import Button
from wattwheel.model import authority as rules
from wattwheel.model.authority import Authority, Limits, Verdict
from wattwheel.model.panel_state import PANEL_PORT, PanelState, PasswordChange

STORE_BIT, KEY_BIT = 6, 8
AUTHORITY_KEY = "authority"
KEY_LOOK_NS = 60_000_000_000  # the key counts on the calendar, which may be set: look at it now and then
ERROR_OTHER, ERROR_NO_DATA, ERROR_NOT_AUTHORISED = 0x01, 0x02, 0x04

ATTEMPT_OCTETS, CHANGE_OCTETS = 9, 12

NEEDED_LEVELS = {
    0x14: rules.PARAMETER_LEVEL,
    0x19: rules.DEMAND_CLEAR_LEVEL,
    0x1A: rules.METER_CLEAR_LEVEL,
    0x1B: rules.EVENT_CLEAR_LEVEL,
    0x1C: rules.RELAY_LEVEL,
}
"""By control code of the line. 15H needs no level, but always the programming key. What is not here is allowed to
nobody."""


class SecuritySettings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        passwords: six digits by level, for the levels that have none yet.
        programming_key: changes need the programming key too.
        tries: wrong passwords in a row that lock a level.
        lock_min: length of the lock.
        utc_offset_minutes: meter standard time minus UTC.
        factory_days: how long a new meter is in factory mode; 0: never.
    """

    passwords: dict[str, str] = {}
    programming_key: bool = True
    tries: int = rules.TRIES_MAX
    lock_min: int = 1440
    utc_offset_minutes: int = 0
    factory_days: int = 0


class Security:
    """The service's state and its answers."""

    def __init__(self, context: StartContext, settings: SecuritySettings) -> None:
        self._settings = settings
        self._limits = Limits(settings.tries, timedelta(minutes=settings.lock_min), settings.programming_key)
        self._counters, self._clock, self._wheel = context.counters, context.clock, context.wheel
        self._authority: Authority | None = None  # until the store has answered nothing is allowed
        self._saved = b""
        self._durable: dict[int, bytes] = {}  # the passwords that are on the medium
        self._durable_changes: tuple[PasswordChange, ...] = ()
        self._panel = context.sampling_source(PANEL_PORT)
        self._look_ns = 0
        self._store = StoreClient.of(context, STORE_BIT)
        context.wheel.task(KEY_BIT, self._look_at_key)
        self._bus = BusPort(context)
        self._bus.on_request(self._answer)
        self._store.load(self._loaded)

    def local(self) -> datetime:
        """The meter's standard time, marked as UTC."""
        return self._clock.calendar() + timedelta(minutes=self._settings.utc_offset_minutes)

    def _loaded(self, loading: Loading) -> None:
        authority = Authority()
        if saved := loading.records.get(AUTHORITY_KEY):
            try:
                authority = msgspec.msgpack.decode(saved, type=Authority)
            except (ValueError, RecursionError):  # forgetting the locks or the passwords would open the meter
                self._counters.add("authority_unreadable")
                return
        for level, digits in self._settings.passwords.items():
            authority.passwords.setdefault(int(level), bytes.fromhex(digits)[::-1])
        self._authority, self._saved = authority, saved or b""
        self._durable, self._durable_changes = dict(authority.passwords), authority.changes
        self._begin_life(authority)
        self._look_at_key()

    def _begin_life(self, authority: Authority) -> None:
        """A new meter is in factory mode where the settings say so; any other is commissioned with the first look."""
        if rules.is_born(authority, not self._saved, self.local(), self._settings.factory_days):
            self._save_authority(lambda result: None)

    def _commission_if_over(self, authority: Authority) -> bool:
        """Whether factory mode has just ended by itself."""
        is_over = not rules.is_in_factory(authority, self.local(), self._settings.factory_days)
        is_over = is_over and not authority.is_commissioned
        authority.is_commissioned = authority.is_commissioned or is_over
        return is_over

    def _answer(self, request: Message) -> None:
        authority = self._authority
        if authority is None:
            self._bus.reply(request, error=ERROR_OTHER)
        elif request.control == Control.AUTHORIZE:
            self._authorize(authority, request)
        elif request.control == Control.CHANGE_PASSWORD:
            self._change_password(authority, request)
        elif request.control == Control.PRESS:
            self._press(authority, request)
        elif request.control == Control.COMMISSION:
            self._commission_if_over(authority)
            was_new = not authority.is_commissioned
            authority.is_commissioned = True
            self._look_at_key()
            self._reply_when_durable(request, 0, bytes((was_new,)))
        else:
            self._bus.reply(request, error=ERROR_NO_DATA if request.control == Control.READ else ERROR_OTHER)

    def _authorize(self, authority: Authority, request: Message) -> None:
        data = request.data
        if len(data) == ATTEMPT_OCTETS and data[0] == Control.WRITE_ADDRESS:
            is_active = rules.key_is_active(authority, self.local())
            self._bus.reply(request, error=0 if is_active else ERROR_NOT_AUTHORISED)
            return
        needed = NEEDED_LEVELS.get(data[0]) if len(data) == ATTEMPT_OCTETS else None
        if needed is None:
            self._bus.reply(request, error=ERROR_NOT_AUTHORISED)
            return
        is_granted = self._judge(authority, data[1], data[2:5], needed)
        self._reply_when_durable(request, 0 if is_granted else ERROR_NOT_AUTHORISED)

    def _judge(self, authority: Authority, level: int, password: bytes, needed: int) -> bool:
        self._commission_if_over(authority)
        limits = msgspec.structs.replace(self._limits, counts=authority.is_commissioned)
        verdict = rules.judge(authority, level, password, needed, self.local(), limits)
        self._counters.add(verdict)
        if rules.is_suspended(authority, self.local()):
            self._look_at_key()
        return verdict is Verdict.GRANTED

    def _change_password(self, authority: Authority, request: Message) -> None:
        """18H: the present password of that level or a higher one, then level and password that shall be."""
        data = request.data
        if len(data) != CHANGE_OCTETS:
            self._bus.reply(request, error=ERROR_OTHER)
            return
        di, level, password = int.from_bytes(data[:4], "little"), data[4], data[5:8]
        changed, new = data[8], data[9:]
        is_possible = changed in rules.LEVELS and di == rules.PASSWORD_DI + changed and rules.are_digits(new)
        if not self._judge(authority, level, password, min(changed, rules.LEVELS[-1])):
            self._reply_when_durable(request, ERROR_NOT_AUTHORISED)
        elif not is_possible:
            self._reply_when_durable(request, ERROR_OTHER)
        else:
            rules.changed(authority, changed, new, self.local())
            self._reply_when_durable(request, 0, data[8:])

    def _reply_when_durable(self, request: Message, error: int, data: bytes = b"") -> None:
        assert self._authority is not None
        passwords, changes = dict(self._authority.passwords), self._authority.changes

        def saved(result: SaveResult) -> None:
            if result is SaveResult.SAVED:
                self._durable = passwords
                if changes != self._durable_changes:
                    self._counters.add("passwords_changed")
                    self._durable_changes = changes
                    self._look_at_key()
                self._bus.reply(request, data, error=error)
            else:
                self._counters.add("authority_unsaved")
                self._saved = b""
                self._bus.reply(request, error=ERROR_OTHER)
            self._keep_durable_passwords()

        authority = msgspec.msgpack.encode(self._authority)
        if authority == self._saved and not self._store.unsaved:  # nobody overtakes those who wait for the medium
            self._bus.reply(request, data, error=error)
        else:
            self._save_authority(saved)

    def _save_authority(self, saved: Callable[[SaveResult], None]) -> None:
        self._saved = msgspec.msgpack.encode(self._authority)
        self._store.save({AUTHORITY_KEY: self._saved}, promised=True, on_saved=saved)

    def _keep_durable_passwords(self) -> None:
        """Once nothing is under way to the medium, only a password that is on it counts."""
        if self._authority is not None and not self._store.unsaved:
            self._authority.passwords, self._authority.changes = dict(self._durable), self._durable_changes

    def _press(self, authority: Authority, request: Message) -> None:
        """The programming button opens the meter for 240 minutes; pressed again it closes it."""
        if request.data.decode("ascii", "replace").rstrip("+") != Button.PROGRAM:
            self._bus.reply(request, error=ERROR_NO_DATA)
            return
        local = self.local()
        authority.key_pressed_at = None if rules.key_is_active(authority, local) else local
        self._look_at_key()
        self._reply_when_durable(request, 0)

    def _look_at_key(self) -> None:
        """Tell what there is to tell, and look again when the key, factory mode or a suspension may have ended."""
        authority = self._authority
        assert authority is not None
        local = self.local()
        is_active = rules.key_is_active(authority, local)
        if self._commission_if_over(authority):
            self._save_authority(lambda result: None)
        is_suspended = rules.is_suspended(authority, local)
        told = PanelState(is_active, is_suspended, not authority.is_commissioned, self._durable_changes)
        self._panel.write(told.message())
        if is_active and authority.key_pressed_at is not None:
            left = authority.key_pressed_at + rules.PROGRAMMING_KEY - local
            self._look_again(min(round(left.total_seconds() * 1e9), KEY_LOOK_NS))
        elif is_suspended or not authority.is_commissioned:
            self._look_again(KEY_LOOK_NS)

    def _look_again(self, after_ns: int) -> None:
        """Look in `after_ns`, unless that happens sooner anyway."""
        now_ns = self._clock.now_ns()
        if not now_ns < self._look_ns <= now_ns + after_ns:
            self._look_ns = now_ns + after_ns
            self._wheel.post_at(self._look_ns, KEY_BIT)


def start(context: StartContext) -> None:
    """Entry of the partition `security`. Settings: JSON of `SecuritySettings`."""
    Security(context, context.decode_settings(SecuritySettings))
