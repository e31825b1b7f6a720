"""The management side's medium on Linux: two SQLite databases, each a slot file.

SQLite is used as the transaction engine only: write-ahead log, `synchronous=FULL`, one connection that holds the file
exclusively (so there is no shared-memory file either). What is in the rows, the second slot and the second file is
`drivers.records`. Measured reasons: `docs/decisions/0002-how-sqlite-meets-the-storage-contract.md`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wattwheel.drivers.linux.storage import STORE_LOCK, hold, make_folder, opening_error, sync_folder
from wattwheel.drivers.records import DualRecords
from wattwheel.drivers.slots import Row, Scan
from wattwheel.model.errors import DoorUnavailable, StorageDamaged, StorageError

VERSION = 1
"""Form of the database, kept as its `user_version`; raised together with a step in `MIGRATIONS`."""

MIGRATIONS: dict[int, str] = {}
"""The SQL statement that brings a database from the version of the key to the next."""

PAGE_OCTETS = 1024
CHECKPOINT_PAGES = 100
LOG_OCTETS_MAX = 512 * 1024
CACHE_KIB = 256
BUSY_MS = 0

_TABLES = ("slot_a", "slot_b")
_SCHEMA = tuple(f"CREATE TABLE {table} (number INTEGER PRIMARY KEY, octets BLOB NOT NULL)" for table in _TABLES)
_READ = tuple(f"SELECT octets FROM {table} WHERE number = ?" for table in _TABLES)
_READ_ALL = tuple(f"SELECT number, octets FROM {table}" for table in _TABLES)
_PUT = tuple(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)" for table in _TABLES)
_DROP = tuple(f"DELETE FROM {table} WHERE number = ?" for table in _TABLES)

_FORM_MARKS = (b"\x02\x02", b"\x01\x01")  # octets 18 and 19: written through a log, or just made

_DAMAGE = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_MISMATCH,
)
_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SqliteSlots:
    """`drivers.slots.SlotFile` in one SQLite database, opened at the first use.

    Without `is_synced` nothing is forced to the medium: for files that are thrown away when the machine fails.
    """

    def __init__(self, path: Path, is_synced: bool = True) -> None:
        self._path = path
        self._is_synced = is_synced
        self._log = path.with_name(path.name + "-wal")
        self._connection: sqlite3.Connection | None = None
        self._form = 0

    def form(self) -> int:
        """The `user_version` that the file shows, 0 when it is missing or cannot be read. Raises DoorUnavailable."""
        if self._path.exists():
            with suppress(StorageError), self._errors("open"):
                self._open()
        return self._form

    def scan(self) -> Scan:
        """See `SlotFile.scan`. Raises DoorUnavailable when the file is in use."""
        rows: list[Row] = []
        try:
            with self._errors("read"):
                connection = self._open()
                for side, statement in enumerate(_READ_ALL):
                    for number, octets in connection.execute(statement):
                        rows.append(Row(side, number, octets if isinstance(octets, bytes) else b""))
        except StorageError as fault:
            return Scan(rows, fault)
        return Scan(rows, None)

    def read(self, side: int, number: int) -> bytes | None:
        """See `SlotFile.read`."""
        with self._errors("read"):
            found = self._open().execute(_READ[side], (number,)).fetchone()
        return found[0] if found and isinstance(found[0], bytes) else None

    def apply(self, rows: Sequence[Row]) -> None:
        """See `SlotFile.apply`."""
        with self._errors("commit"):
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for side, number, octets in rows:
                    if octets is None:
                        connection.execute(_DROP[side], (number,))
                    else:
                        connection.execute(_PUT[side], (number, octets))
                connection.execute("COMMIT")
            except sqlite3.Error:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def replace(self, rows: Sequence[Row]) -> None:
        """See `SlotFile.replace`; the old file stays beside it as `NAME.damaged`, with its log, until the next time."""
        fresh = SqliteSlots(self._path.with_name(self._path.name + ".new"), self._is_synced)
        fresh._remove()
        try:
            fresh.apply(rows)
        finally:
            fresh.close()
        self._disconnect()
        damaged = self._path.with_name(self._path.name + ".damaged")
        try:
            damaged.unlink(missing_ok=True)
            # The log must go before the new file comes: SQLite would carry the old log out in the new database.
            if self._log.exists():
                self._log.rename(damaged.with_name(damaged.name + "-wal"))
            with suppress(FileNotFoundError):
                os.link(self._path, damaged)
            fresh._path.rename(self._path)
            sync_folder(self._path.parent)
        except OSError as fault:
            raise StorageError("replace", f"{self._path}: {fault.strerror or fault}") from None

    def close(self) -> None:
        """See `SlotFile.close`: the log is worked in and removed."""
        with suppress(StorageError), self._errors("close"):
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _remove(self) -> None:
        """Take away what an interrupted `replace` may have left."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._log.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        """The connection, made at the first use. Raises sqlite3.Error, DoorUnavailable."""
        if self._connection is not None:
            return self._connection
        self._check_header()
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # for nobody else to read
        connection = sqlite3.connect(self._path, timeout=BUSY_MS / 1000, isolation_level=None)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _check_header(self) -> None:
        """Raise StorageDamaged for a header by which SQLite would take the file as read-only, and for what is no file.

        Done before SQLite opens the file: closing another descriptor of it later would let go of SQLite's own locks.
        A pipe in its place would keep us waiting for ever. Raises OSError.
        """
        if self._path.exists() and not (self._path.is_file() or self._path.is_dir()):
            raise StorageDamaged("open", f"{self._path}: is no file")
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            marks = file.read(20)[18:]
            if marks and marks not in _FORM_MARKS:
                raise StorageDamaged("open", f"{self._path}: its header does not allow writing through a log")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Set the connection up, then make or migrate the tables."""
        run = connection.execute
        for pragma in (
            "locking_mode=EXCLUSIVE",
            f"page_size={PAGE_OCTETS}",
            "auto_vacuum=NONE",
            "journal_mode=WAL",
            f"synchronous={'FULL' if self._is_synced else 'OFF'}",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
            f"journal_size_limit={LOG_OCTETS_MAX}",
            f"cache_size=-{CACHE_KIB}",
            "temp_store=MEMORY",
            "cell_size_check=ON",
            "secure_delete=FAST",
        ):
            run(f"PRAGMA {pragma}")
        version = run("PRAGMA user_version").fetchone()[0]
        self._form = version
        if not 0 <= version <= VERSION:
            raise StorageDamaged("open", f"{self._path}: form {version}; known are 1 to {VERSION}")
        if version != VERSION:
            steps = [MIGRATIONS[step] for step in range(version, VERSION)] if version else _SCHEMA
            for statement in ("BEGIN IMMEDIATE", *steps, f"PRAGMA user_version={VERSION}", "COMMIT"):
                run(statement)
            sync_folder(self._path.parent)
        found = run("SELECT sql FROM sqlite_master WHERE name IN (?, ?) ORDER BY name", _TABLES).fetchall()
        if [sql for (sql,) in found] != list(_SCHEMA):
            raise StorageDamaged("open", f"{self._path}: its tables are not ours")

    @contextmanager
    def _errors(self, operation: str) -> Iterator[None]:
        """Turn SQLite's and the system's errors into ours."""
        try:
            yield
        except sqlite3.Error as fault:
            code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            why = f"{self._path}: {fault}"
            if code in _IN_USE:
                raise DoorUnavailable(str(self._path), "in use by another program") from None
            if code in _DAMAGE:
                raise StorageDamaged(operation, why) from None
            raise StorageError(operation, why) from None
        except OSError as fault:
            if isinstance(fault, (StorageError, DoorUnavailable)):
                raise
            raise StorageError(operation, f"{self._path}: {fault.strerror or fault}") from None


class SqliteRecords(DualRecords):
    """`hil.storage.RecordMedium` in a folder of its own: `store.db`, `store-second.db`, `store.lock`.

    Raises DoorUnavailable when the folder cannot be made or written, another process holds it, or a newer program
    wrote it; StorageError when neither file can be read for another reason than damage.
    """

    def __init__(self, folder: Path, is_synced: bool = True) -> None:
        """`is_synced`: see `SqliteSlots`."""
        make_folder(folder)
        self._lock = hold(folder / STORE_LOCK)
        try:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise opening_error(folder, PermissionError(13, "not writable"))
            first, second = (SqliteSlots(folder / name, is_synced) for name in ("store.db", "store-second.db"))
            _refuse_newer(folder, first.form(), second.form())
            super().__init__(first, second)
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """See `RecordMedium.close`."""
        super().close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _refuse_newer(folder: Path, *forms: int) -> None:
    """Raise DoorUnavailable when a newer program wrote the files.

    One file alone that says so is taken as damaged: a single flipped bit must not keep a meter from starting.
    """
    if max(forms) > VERSION and not any(1 <= form <= VERSION for form in forms):
        why = f"written by a newer wattwheel (form {max(forms)}); this one reads up to {VERSION}"
        raise DoorUnavailable(str(folder), why)
