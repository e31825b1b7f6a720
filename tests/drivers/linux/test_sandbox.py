"""The wall, tried from inside: each attempt in a process of its own that was forked and walled in."""

import contextlib
import ctypes
import errno
import fcntl
import importlib
import mmap
import os
import platform
import resource
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from wattwheel.drivers.linux import landlock, process, sandbox, seccomp
from wattwheel.drivers.linux.own_code import find_own_code
from wattwheel.drivers.linux.sandbox import Offer, Wall
from wattwheel.hil.process import BodySpec

OFFER = sandbox.probe()
MEMORY = 512 * 1024 * 1024  # beyond what the forking test process has itself
GOT_THROUGH = "got through"
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def own_octets():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def tried(attempt, user=None, **wall):
    """What `attempt` came to behind a wall: GOT_THROUGH, or the name of the error."""
    near, far = os.pipe()
    pid = os.fork()
    if pid == 0:
        outcome = GOT_THROUGH
        try:
            if user is not None and os.getuid() == 0:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            bounds = {"memory_octets_max": own_octets() + MEMORY, "descriptors_max": 64}
            sandbox.put_up(Wall(**{"offer": OFFER, **bounds, **wall}))
            attempt()
        except OSError as fault:
            outcome = errno.errorcode[fault.errno] if fault.errno else type(fault).__name__
        except BaseException as fault:
            outcome = type(fault).__name__
        finally:
            os.write(far, outcome.encode())
            os._exit(0)
    os.close(far)
    with os.fdopen(near, "rb") as pipe:
        outcome = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return outcome or f"ended with {status}"


@pytest.fixture
def victim():
    """A process of the same user, which must survive everything."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    assert process.poll() is None
    process.stdin.close()
    process.wait()


def libc(call, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, call)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), call)


def system_call(number, *arguments):
    libc("syscall", number, *arguments)


def test_this_machine_has_a_wall():
    """On a machine without, the following prove nothing: then they must not pass in silence."""
    assert OFFER.level == "L2"


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/mem", "/proc/1/status", "/", "/root", "/tmp", "/dev/null"])
def test_no_file_of_others(path):
    assert tried(lambda: os.close(os.open(path, os.O_RDONLY))) == "EACCES"


def test_nothing_is_written_anywhere(tmp_path):
    mine = tmp_path / "mine"
    assert tried(mine.mkdir) == "EACCES"
    assert tried(lambda: (tmp_path / "file").write_text("x")) == "EACCES"
    code = sandbox.code_folders()[-1]
    assert tried(lambda: open(os.path.join(code, "x"), "w").close()) == "EACCES"
    assert list(tmp_path.iterdir()) == []


def test_code_can_still_be_imported_and_nothing_else_of_it_done():
    def load():
        sys.modules.pop("colorsys", None)
        importlib.import_module("colorsys")

    assert tried(load) == GOT_THROUGH
    assert tried(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])) == "EPERM"


def test_a_folder_that_was_granted_and_no_more(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "file").write_text("theirs")

    def store():
        with contextlib.closing(sqlite3.connect(own / "records.db")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE t (x)")
            connection.commit()

    assert tried(store, folders=(str(own),)) == GOT_THROUGH
    assert (own / "records.db").exists()
    assert tried(lambda: (other / "file").read_text(), folders=(str(own),)) == "EACCES"
    assert tried(lambda: os.chmod(other / "file", 0), folders=(str(own),)) == "EPERM"
    assert tried(lambda: os.symlink("/etc", own / "link"), folders=(str(own),)) == "EACCES"


def test_no_other_process(victim):
    pid = victim.pid
    assert tried(lambda: os.kill(pid, signal.SIGKILL)) == "EPERM"
    assert tried(lambda: os.kill(-1, 0)) == "EPERM"
    assert tried(lambda: os.pidfd_open(pid)) == "EPERM"
    assert tried(lambda: libc("ptrace", 16, pid, None, None)) == "EPERM"
    assert tried(lambda: libc("process_vm_readv", pid, None, 0, None, 0, 0)) == "EPERM"
    assert tried(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))) == "EPERM"
    assert tried(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)) == "EPERM"
    assert tried(lambda: os.sched_setaffinity(pid, {0})) == "EPERM"
    assert tried(os.fork) == "EPERM"
    assert tried(lambda: os.posix_spawn("/bin/true", ["true"], {})) != GOT_THROUGH
    assert tried(threading.Thread(target=int).start) == "RuntimeError"
    assert tried(os.setsid) == "EPERM"
    assert tried(lambda: os.setpgid(0, 0)) == "EPERM"


def test_no_signal_through_a_descriptor(victim):
    near, far = socket.socketpair()

    def own():
        fcntl.fcntl(near, fcntl.F_SETOWN, victim.pid)

    def own_by_ioctl():
        fcntl.ioctl(near, 0x8901, struct.pack("i", victim.pid))

    assert tried(own) == "EPERM"
    assert tried(own_by_ioctl) == "EPERM"
    near.close()
    far.close()


def test_no_wire():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert tried(lambda: socket.create_connection(listener.getsockname())) == "EPERM"
        assert tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) == "EPERM"
        assert tried(lambda: socket.socket(socket.AF_UNIX)) == "EPERM"
        assert tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)) == "EPERM"
        assert tried(lambda: listener.shutdown(socket.SHUT_RDWR)) == "EPERM"
        assert not select.select([listener], [], [], 0)[0]


def test_a_wire_that_was_granted_is_served():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as caller:

        def serve():
            connection, _ = listener.accept()
            connection.sendall(connection.recv(16)[::-1])
            connection.close()

        caller.sendall(b"abc")
        assert tried(serve, has_wires=True) == GOT_THROUGH
        assert caller.recv(16) == b"cba"


def test_the_network_is_there_for_who_was_granted_it_and_only_of_the_internets_families():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def call():
            with socket.create_connection(address) as connection:
                connection.sendall(b"abc")

        def serve():
            with socket.create_server(("127.0.0.1", 0)) as own:
                assert own.getsockname()[1]

        assert tried(call) == "EPERM"
        assert tried(call, has_network=True) == GOT_THROUGH
        with listener.accept()[0] as taken:
            assert taken.recv(3) == b"abc"
        assert tried(serve, has_network=True) == GOT_THROUGH
    for family in (socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_CAN):
        assert tried(lambda family=family: socket.socket(family, socket.SOCK_RAW), has_network=True) == "EPERM"
    assert tried(lambda: os.memfd_create("hoard"), has_network=True) == "EPERM"
    assert tried(lambda: Path("/etc/passwd").read_bytes(), has_network=True) == "EACCES"


def test_an_empty_network_and_no_queues_of_others():
    assert OFFER.namespaces
    own = {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in ("user", "net", "ipc")}

    def differs(*kinds, same=()):
        def look():
            now = {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in own}
            assert all(now[kind] != own[kind] for kind in kinds)
            assert all(now[kind] == own[kind] for kind in same)
            assert os.getuid() == os.geteuid() != 65_534 or os.getuid() == user
            assert len(socket.if_nameindex()) >= 1

        return look

    user = os.getuid()
    bare = Offer(0, False, True)
    assert tried(differs("user", "net", "ipc"), offer=bare) == GOT_THROUGH
    assert tried(differs("user", "ipc", same=("net",)), offer=bare, has_network=True) == GOT_THROUGH
    assert tried(differs(same=("user", "net", "ipc")), offer=Offer(0, False, False)) == GOT_THROUGH
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        assert tried(lambda: socket.create_connection(address).close(), offer=bare) == "ENETUNREACH"
    if user == 0:
        assert tried(differs("user", "net", "ipc"), offer=bare, user=65_534) in (GOT_THROUGH, "AssertionError")


def test_a_wall_that_was_offered_and_cannot_be_had_is_told(monkeypatch):
    def refuse(with_network):
        raise PermissionError(errno.EPERM, "no namespaces for you")

    monkeypatch.setattr(sandbox.namespaces, "enter", refuse)
    assert tried(lambda: None) == "EPERM"
    assert tried(lambda: None, folders=("/tmp",)) == GOT_THROUGH


@pytest.mark.parametrize(("has_groups", "outcome"), [(False, GOT_THROUGH), (True, "ENOSPC")])
def test_namespaces_that_are_used_up_stop_nobody_whose_level_needs_none(monkeypatch, has_groups, outcome):
    """Others of the same user may use them up after the machine was asked."""

    def refuse(with_network):
        raise OSError(errno.ENOSPC, "used up")

    monkeypatch.setattr(sandbox.namespaces, "enter", refuse)
    offer = Offer(OFFER.landlock, OFFER.seccomp, namespaces=True, control_groups=has_groups)
    assert tried(lambda: None, offer=offer) == outcome
    assert tried(lambda: os.stat("/etc/passwd") and Path("/etc/passwd").read_bytes(), offer=offer) != GOT_THROUGH


def test_no_memory_beyond_the_bound():
    assert tried(lambda: bytearray(2 * MEMORY)) == "MemoryError"
    shared = own_octets() + 2 * MEMORY
    assert tried(lambda: mmap.mmap(-1, shared)) == "ENOMEM"
    assert tried(lambda: bytearray(MEMORY // 4)) == GOT_THROUGH
    assert tried(lambda: os.memfd_create("hoard")) == "EPERM"


def test_no_more_descriptors_than_allowed():
    assert tried(lambda: [os.dup(0) for _ in range(64)]) == "EMFILE"
    assert tried(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))) in ("ValueError", "EPERM")


def test_no_privilege():
    assert tried(lambda: libc("unshare", CLONE_NEWUSER)) == "EPERM"
    assert tried(lambda: libc("mount", b"none", b"/mnt", b"tmpfs", 0, None)) == "EPERM"
    assert tried(lambda: os.chroot("/")) == "EPERM"
    assert tried(lambda: os.setuid(NOBODY)) in ("EPERM", "EINVAL")  # EINVAL: no such user in its namespace
    assert tried(lambda: os.nice(-1)) == "EPERM"
    assert tried(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))) == "EPERM"
    assert tried(lambda: libc("prctl", PR_SET_PDEATHSIG, 0, 0, 0, 0)) == "EPERM"
    assert tried(lambda: libc("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)) == "EPERM"


def test_no_typing_into_the_terminal():
    master, slave = os.openpty()
    assert tried(lambda: fcntl.ioctl(slave, termios.TIOCSTI, b"x"), has_wires=True) == "EPERM"
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("name", sorted({**seccomp.FORBIDDEN, **seccomp.OPTIONAL}))
def test_every_call_of_the_table_is_refused(name):
    """By number, with arguments that are none: the refusal comes before any look at them."""
    table = {**seccomp.FORBIDDEN, **seccomp.OPTIONAL}
    number = table[name][seccomp.ARCHITECTURES[platform.machine()].column]
    if number is None:
        assert name not in seccomp.OPTIONAL  # an old call that this machine never had
        return
    outcome = tried(lambda: system_call(number, -1, -1, -1, -1, -1, -1))
    assert outcome == "EPERM"


def test_what_is_younger_than_the_table_is_unknown():
    for number in (435, 463, 467, 1000):
        assert tried(lambda number=number: system_call(number, 0, 0, 0, 0, 0, 0)) == "ENOSYS"


def test_calls_of_another_set_end_the_process():
    if seccomp.ARCHITECTURES[platform.machine()].foreign is not None:
        assert tried(lambda: system_call(0x40000000 + 39)) == f"ended with {-signal.SIGSYS}"


def test_the_two_columns_are_tables_of_their_own():
    for column in (0, 1):
        numbers = [row[column] for row in {**seccomp.FORBIDDEN, **seccomp.OPTIONAL}.values() if row[column] is not None]
        assert len(numbers) == len(set(numbers))
        assert all(len(seccomp.program(machine, 1)) % 8 == 0 for machine in seccomp.ARCHITECTURES)


def test_levels():
    assert Offer(landlock=7, seccomp=True).level == "L2"
    assert Offer(landlock=0, seccomp=True).level == "L1"
    assert Offer(landlock=1, seccomp=False).level == "L1"
    assert any("no Landlock" in reason for reason in Offer(0, True).reasons)
    assert landlock.version() == OFFER.landlock


def test_at_level_1_only_the_limits_hold():
    bare = Offer(landlock=0, seccomp=False)
    assert tried(lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)), offer=bare) == GOT_THROUGH
    assert tried(lambda: bytearray(2 * MEMORY), offer=bare) == "MemoryError"


@pytest.mark.parametrize("entry", ["wattwheel.apps.energy:start", "json:loads", "no_such_package:start", ":", "os:x"])
def test_code_of_an_entry(entry):
    found = sandbox.code_of(entry)
    expected = {"wattwheel": "wattwheel", "json": "json"}.get(entry.partition(":")[0].partition(".")[0])
    if expected is None:
        assert all(os.path.isfile(path) for path in found)
    else:
        assert [os.path.basename(path) for path in found] == [expected]


def test_an_ordinary_user_has_the_same_wall():
    """The level is the same for nobody, and so is what it stops."""
    assert tried(lambda: os.open("/etc/passwd", os.O_RDONLY), user=NOBODY) == "EACCES"
    assert tried(os.fork, user=NOBODY) == "EPERM"

    def probes_the_same():
        found = sandbox.probe()
        assert (found.landlock, found.seccomp, found.namespaces) == (OFFER.landlock, OFFER.seccomp, False)  # no fork

    assert tried(probes_the_same, user=NOBODY) == GOT_THROUGH


@pytest.mark.parametrize("layout", ["guest.py", "guest/__init__.py", "guest/part.py"])
def test_own_code_is_found_although_the_folder_around_it_cannot_be_listed(tmp_path, monkeypatch, layout):
    """Whatever has changed in that folder since the import system looked at it last."""
    (tmp_path / layout).parent.mkdir(exist_ok=True)
    (tmp_path / layout).write_text("VALUE = 42\n")
    (tmp_path / "secret").write_text("theirs")
    monkeypatch.syspath_prepend(tmp_path)
    entry = "guest.part:start" if layout == "guest/part.py" else "guest:start"
    code = sandbox.code_of.__wrapped__(entry)
    assert len(code) == 1
    assert code[0].startswith(str(tmp_path / "guest"))

    def load():
        sys.path_importer_cache.clear()
        find_own_code(entry, code)
        assert importlib.import_module(entry.partition(":")[0]).VALUE == 42

    def look_around():
        os.listdir(tmp_path)

    assert tried(load, code=code) == GOT_THROUGH
    assert tried(look_around, code=code) == "EACCES"
    assert tried((tmp_path / "secret").read_text, code=code) == "EACCES"


def test_a_granted_file_is_one_with_contents_of_its_own(tmp_path):
    file, link, folder, pipe = tmp_path / "a.pem", tmp_path / "link", tmp_path / "folder", tmp_path / "pipe"
    file.write_bytes(b"secret")
    link.symlink_to(file)
    folder.mkdir()
    os.mkfifo(pipe)
    inside = folder / "b.pem"
    inside.write_bytes(b"other")
    wanted = [
        "",
        "/",
        "/proc",
        "/proc/1/environ",
        "/proc/self/status",
        "/dev/zero",
        "/sys/kernel/notes",
        *map(str, (folder, pipe, link)),
    ]
    granted = sandbox.plain_files([*wanted, str(tmp_path / "absent")])
    assert granted == (str(file),)
    assert tried(link.read_bytes, code=granted) == GOT_THROUGH
    assert tried(inside.read_bytes, code=granted) == "EACCES"
    assert tried(Path("/proc/1/status").read_bytes, code=granted) == "EACCES"


def test_a_partition_is_not_given_a_folder_as_a_file(tmp_path):
    spec = BodySpec("network", "", b"", (), (), devices=(f"file:{tmp_path}", "file:/proc"))
    assert process._files_of(spec) == ()
