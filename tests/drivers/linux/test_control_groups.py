"""Control groups, on a folder that stands for one: what is written where, and when nothing is touched."""

from __future__ import annotations

import os
import signal

import pytest

from wattwheel.drivers.linux import sandbox
from wattwheel.drivers.linux.control_groups import SLACK_OCTETS, ControlGroups, delegated_group, is_delegated
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.hil.process import EXIT_MEMORY_VIOLATION, BodySpec

UNIT = "user.slice/meter.service"


class Group:
    """A hierarchy with the meter's unit in it."""

    def __init__(self, top, controllers="cpu memory pids"):
        self.hierarchy, self.own = top / "cgroup", top / "own"
        self.folder = self.hierarchy / UNIT
        self.folder.mkdir(parents=True)
        (self.hierarchy / "cgroup.controllers").write_text("cpu io memory pids\n")
        (self.folder / "cgroup.controllers").write_text(f"{controllers}\n")
        (self.folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
        self.own.write_text(f"0::/{UNIT}\n")

    def found(self, is_ours=lambda folder: True):
        return delegated_group(self.hierarchy, self.own, is_ours)

    def said(self, *path):
        return (self.folder.joinpath(*path)).read_text()


@pytest.fixture
def group(tmp_path):
    return Group(tmp_path)


def test_a_delegated_group_is_found_also_after_the_meter_has_moved_beneath_it(group):
    assert group.found() == group.folder
    group.own.write_text(f"0::/{UNIT}/meter\n")
    assert group.found() == group.folder


def test_what_was_not_given_is_not_taken(group, tmp_path):
    assert group.found(lambda folder: False) is None
    assert group.found(is_delegated) is None
    assert delegated_group(group.hierarchy, tmp_path / "none", lambda folder: True) is None
    group.own.write_text("4:memory:/x\n1:cpu:/\n")
    assert group.found() is None
    poor = Group(tmp_path / "poor", "cpu pids")
    assert poor.found() is None
    (group.hierarchy / "cgroup.controllers").unlink()
    group.own.write_text(f"0::/{UNIT}\n")
    assert group.found() is None


def test_the_meter_moves_aside_and_hands_the_controllers_down(group):
    ControlGroups(group.folder)
    assert group.said("meter", "cgroup.procs") == str(os.getpid())
    assert group.said("cgroup.subtree_control") == "+memory +pids +cpu"


def test_a_partition_is_put_under_its_bounds(group):
    ControlGroups(group.folder).take("peak guard", 4711, 1000)
    here = "partition-peak+guard"
    assert group.said(here, "memory.max") == str(1000 + SLACK_OCTETS)
    assert (group.said(here, "pids.max"), group.said(here, "cgroup.procs")) == ("8", "4711")


def test_no_two_partitions_share_a_group(group):
    groups = ControlGroups(group.folder)
    names = ["a.b", "a_b", "a b", "a+b", "a/b", "..", "a%b"]
    folders = {groups._group(name) for name in names}
    assert len(folders) == len(names)
    assert all(folder.parent == group.folder for folder in folders)


def test_only_a_kill_since_the_start_counts(group):
    groups = ControlGroups(group.folder)
    groups.take("a", 1, 1000)
    assert not groups.was_killed_for_memory("a")
    events = group.folder / "partition-a" / "memory.events"
    events.write_text("low 0\noom 1\noom_kill 1\noom_group_kill 0\n")
    assert groups.was_killed_for_memory("a")
    groups.take("a", 2, 1000)
    assert not groups.was_killed_for_memory("a")


def live(birth):
    signal.pause()


def test_a_body_is_under_its_bounds_and_a_kill_for_memory_is_told_as_one(group):
    host = LinuxProcessHost(live, groups=ControlGroups(group.folder))
    deaths = []
    try:
        for is_memory in (True, False):
            body = host.spawn(BodySpec("a", "", b"{}", (), ()))
            body.on_death(deaths.append)
            assert group.said("partition-a", "cgroup.procs") == str(body.pid)
            if is_memory:
                (group.folder / "partition-a" / "memory.events").write_text("oom_kill 1\n")
            os.kill(body.pid, signal.SIGKILL)
            host._hear_once()
        assert deaths == [EXIT_MEMORY_VIOLATION, -signal.SIGKILL]
    finally:
        host.close()


def test_a_body_that_cannot_be_bounded_does_not_run(group):
    groups = ControlGroups(group.folder)
    (group.folder / "partition-a").write_text("in the way")
    host = LinuxProcessHost(live, groups=groups)
    try:
        deaths = []
        host.spawn(BodySpec("a", "", b"{}", (), ())).on_death(deaths.append)
        host._hear_once()
        assert deaths == [-signal.SIGKILL]
    finally:
        host.close()


@pytest.mark.parametrize(
    ("offer", "level"),
    [
        (sandbox.Offer(7, True, True, True), "L3"),
        (sandbox.Offer(7, True, True, False), "L2"),
        (sandbox.Offer(7, True, False, True), "L2"),
        (sandbox.Offer(0, True, True, True), "L1"),
        (sandbox.Offer(7, False, True, True), "L1"),
    ],
)
def test_levels(offer, level):
    assert offer.level == level
    assert len(offer.reasons) == 5
