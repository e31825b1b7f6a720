"""Counting who lives in a session and what it holds."""

import os
import subprocess
import sys

import pytest

from wattwheel.testing.drills.census import descriptors, proportional_kib, residents

CHILD = """
import os, sys
if os.fork() == 0:
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def session():
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout.readline() == b"there\n"
    yield child.pid
    child.communicate()


def test_processes_and_zombies(session):
    found = residents(session)
    assert found[0].pid == session
    assert [one.state == "Z" for one in found] == [False, True]
    assert found[1].parent == session


def test_descriptors_and_memory():
    before = descriptors(os.getpid())
    near, far = os.pipe()
    assert descriptors(os.getpid()) == before + 2
    os.close(near)
    os.close(far)
    assert proportional_kib(os.getpid()) > 1000


def test_nobody(session):
    assert residents(2**22 + 1) == []
    assert descriptors(2**22 + 1) is None
    assert proportional_kib(2**22 + 1) is None
