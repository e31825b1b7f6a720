"""The exception tree: catch `WattwheelError` to catch everything the platform raises on purpose.

    WattwheelError
    +-- BadInput (ValueError)              a person or a file asked for something impossible; exit code 2
    |   +-- ConfigError                    a configuration file: where, what was found, what is allowed
    |   |   +-- ModuleConfigError          a module configuration file: everything that is wrong in it
    |   +-- RecordingError                 a recording that cannot be read or metered
    |   +-- UnknownItem (LookupError)      no such data item
    +-- ProtocolError (ValueError)         a frame broke the protocol
    |   +-- LocalProtocolError             our own code asked for a forbidden frame: a bug here
    |   +-- RemoteProtocolError            the peer sent an illegal frame
    |       +-- DamagedMessageError        octets that are no bus messages (`apex.messages`)
    +-- ItemValueError (ValueError)        octets or a value do not fit the item's picture
    +-- NotAnswered (TimeoutError)         nobody answered in time
    +-- Refused                            the meter answered with the exception form; see `error_octet`
    +-- ServiceRefused                     an APEX service was not done; see `service` and `code`
    |   +-- NotAvailable                   not now: nothing there, no room, somebody else has it
    |       +-- TimedOut (TimeoutError)    not within the time that was given
    +-- StorageError (OSError)             the medium failed; see `operation`
    |   +-- StorageDamaged                 what is on it is no longer what was written
    +-- DoorUnavailable (OSError)          an address, device or folder cannot be had

Own bugs are assertions and stop the partition; the world's faults are these exceptions or quality flags.
"""

from __future__ import annotations

from collections.abc import Sequence


class WattwheelError(Exception):
    """Everything the platform raises on purpose."""


class BadInput(WattwheelError, ValueError):
    """What a person or a file asked for cannot be; the message says what, where and what is allowed."""


class ConfigError(BadInput):
    """A configuration value that is refused before anything starts.

    Attributes:
        file: the file it stands in, or None for built-in or command-line settings.
        where: line number or dotted key, as the reader of the file would look it up.
        found: what stood there.
        allowed: what may stand there.
    """

    def __init__(self, where: str, found: object, allowed: str, file: str | None = None) -> None:
        self.file, self.where, self.found, self.allowed = file, where, found, allowed
        place = f"{file}: {where}" if file else where
        super().__init__(f"{place}: found {found!r}; allowed: {allowed}")


class ModuleConfigError(ConfigError):
    """A module configuration file that is refused; its text has one line for each fault.

    Attributes:
        faults: what is wrong, by line; the error's own fields are those of the first.
        left_out: how many more there are.
    """

    def __init__(self, faults: Sequence[ConfigError], left_out: int = 0) -> None:
        first = faults[0]
        super().__init__(first.where, first.found, first.allowed, first.file)
        self.faults, self.left_out = tuple(faults), left_out
        lines = [str(fault) for fault in faults]
        if left_out:
            lines.append(f"and {left_out} more")
        self.args = ("\n".join(lines),)


class RecordingError(BadInput):
    """A recording that cannot be read: which file, where in it, why, and what to do."""

    def __init__(self, file: str, why: str) -> None:
        self.file, self.why = file, why
        super().__init__(f"{file}: {why}")


class UnknownItem(BadInput, LookupError):
    """No data item of that identifier or name."""

    def __init__(self, asked: str, hint: str = "") -> None:
        self.asked, self.hint = asked, hint
        super().__init__(f"no data item {asked!r}" + (f"; {hint}" if hint else ""))


class ProtocolError(WattwheelError, ValueError):
    """A frame broke the protocol. Never raised directly: see the two below."""


class LocalProtocolError(ProtocolError):
    """Our own code asked for a frame that the protocol forbids. Always a bug here."""


class RemoteProtocolError(ProtocolError):
    """The peer sent an illegal frame. Count it, drop it, stay silent on the line."""


class ItemValueError(WattwheelError, ValueError):
    """Octets or a value that do not fit the picture of a data item."""

    def __init__(self, item: str, found: object, allowed: str) -> None:
        self.item, self.found, self.allowed = item, found, allowed
        super().__init__(f"{item}: found {found!r}; allowed: {allowed}")


class NotAnswered(WattwheelError, TimeoutError):
    """Nobody answered in time."""


class Refused(WattwheelError):
    """The meter answered in the exception form.

    Attributes:
        error_octet: ERR of the reply, one bit per reason.
    """

    def __init__(self, error_octet: int, reason: str) -> None:
        self.error_octet = error_octet
        super().__init__(reason)


class ServiceRefused(WattwheelError):
    """A service of the APEX was not done.

    Attributes:
        service: its name in the standard.
        code: name of its return code.
    """

    def __init__(self, service: str, code: str, about: str = "") -> None:
        self.service, self.code = service, code
        super().__init__(f"{service}{f' of {about}' if about else ''}: {code}")


class NotAvailable(ServiceRefused):
    """Not now: nothing there, no room, or somebody else has it. Code NOT_AVAILABLE."""


class TimedOut(NotAvailable, TimeoutError):
    """Not within the time that was given. Code TIMED_OUT."""


class StorageError(WattwheelError, OSError):
    """The medium failed during `operation`; nothing durable was changed by it."""

    def __init__(self, operation: str, why: str) -> None:
        self.operation = operation
        super().__init__(f"{operation}: {why}")


class StorageDamaged(StorageError):
    """What the medium shows is no longer what was written there: the file has to be made anew from its copy."""


class DoorUnavailable(WattwheelError, OSError):
    """An address, device or folder that was asked for cannot be had (in use, missing, no right)."""

    def __init__(self, door: str, why: str) -> None:
        self.door = door
        super().__init__(f"{door}: {why}")
