"""Module configurations that are valid, of every shape, for the property tests."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from wattwheel.kernel.config import (
    KERNEL,
    HealthConfig,
    HealthEntry,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
    ScheduleConfig,
    WindowConfig,
)
from wattwheel.kernel.module_rules import (
    CRITICALITIES,
    ERROR_CODES,
    HEALTH_ERRORS,
    HEALTH_LEVELS,
    HEALTH_STATES,
    ISOLATION_LEVELS,
    MODULE_ACTIONS,
    PARTITION_ACTIONS,
)

LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ")


def names(length_max=30):
    return st.text(LETTERS, min_size=1, max_size=length_max).map(str.strip).filter(bool)


def unique_names(number, length_max=30):
    return st.lists(names(length_max), min_size=number, max_size=number, unique_by=str.upper)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TIMES = st.integers(1, 10**15)
WORDS = st.from_regex(r"[a-z_.]{1,20}", fullmatch=True)


@st.composite
def partitions(draw, name, identifier):
    return PartitionConfig(
        name,
        f"{draw(WORDS)}:{draw(WORDS)}",
        msgspec.json.encode(draw(JSON)),
        tuple(draw(st.lists(names(64), max_size=2, unique=True))),
        draw(st.integers(0, 255)),
        draw(st.integers(1, 1 << 40)),
        identifier,
        draw(st.sampled_from(CRITICALITIES)),
        draw(st.booleans()),
        draw(st.sampled_from(["meter", "others"])),
        draw(st.integers(1, 1 << 20)),
        draw(st.sampled_from(ISOLATION_LEVELS)),
        draw(st.integers(0, 19)),
    )


@st.composite
def channels(draw, owners):
    number = draw(st.integers(0, 4))
    queuing, sampling = [], []
    for place, name in enumerate(draw(unique_names(number, 64))):
        others = draw(st.lists(st.sampled_from([*owners, KERNEL]), min_size=1, max_size=3))
        ends = [draw(st.sampled_from(owners)), *others]
        if draw(st.booleans()):
            ends[0], ends[1] = ends[1], ends[0]
        size = draw(st.integers(1, 65_536))
        letter = draw(st.sampled_from("pé電<&\"'"))
        ports = [f"{letter}{place}-{n}" for n in range(len(ends))]
        if draw(st.booleans()):
            source, *destinations = (PortEnd(*end) for end in zip(ends, ports, strict=True))
            queuing.append(QueuingChannelConfig(name, source, tuple(destinations), size, draw(st.integers(1, 512))))
        else:
            made = [PortEnd(*end, draw(TIMES)) for end in zip(ends, ports, strict=True)]
            readers = list(dict.fromkeys(ends[1:]))
            called = tuple(name for name in readers if draw(st.booleans()))
            sampling.append(SamplingChannelConfig(name, made[0], tuple(made[1:]), size, called))
    return tuple(queuing), tuple(sampling)


@st.composite
def schedules(draw, owners):
    if draw(st.booleans()):
        return ScheduleConfig()
    unit, periods = draw(st.integers(1, 10**9)), draw(st.integers(1, 3))
    slots = draw(st.lists(st.none() | st.sampled_from(owners), min_size=1, max_size=5))
    if not any(slots):
        return ScheduleConfig()
    period = unit * len(slots)
    windows = [
        WindowConfig(1 + n * len(slots) + slot, owner, n * period + slot * unit, unit, draw(st.booleans()))
        for n in range(periods)
        for slot, owner in enumerate(slots)
        if owner is not None
    ]
    own = {owner: (period, unit * slots.count(owner)) for owner in slots if owner is not None}
    return ScheduleConfig(period * periods, tuple(windows), own)


@st.composite
def rows(draw, actions=None):
    keys = draw(
        st.lists(st.tuples(st.sampled_from(HEALTH_STATES), st.sampled_from(HEALTH_ERRORS)), max_size=4, unique=True)
    )
    if actions is not None:
        return tuple(HealthEntry(*key, action=draw(st.sampled_from(actions))) for key in keys)
    return tuple(
        HealthEntry(*key, draw(st.sampled_from(HEALTH_LEVELS)), draw(st.sampled_from(["", *ERROR_CODES])))
        for key in keys
    )


@st.composite
def modules(draw):
    number = draw(st.integers(1, 4))
    owners = [name for name in draw(unique_names(number)) if name.upper() != KERNEL.upper()] or ["only"]
    identifiers = draw(st.lists(st.integers(1, 65_535), min_size=len(owners), max_size=len(owners), unique=True))
    own = tuple(draw(partitions(*pair)) for pair in zip(owners, identifiers, strict=True))
    queuing, sampling = draw(channels(owners))
    tabled = draw(st.lists(st.sampled_from(owners), unique=True))
    health = HealthConfig(
        draw(rows()),
        draw(rows(MODULE_ACTIONS)),
        {name: draw(rows(PARTITION_ACTIONS)) for name in tabled},
        draw(st.integers(0, 1_000_000)),
    )
    users = [partition.user for partition in own]
    grants = tuple(draw(st.lists(st.tuples(st.sampled_from(users), st.sampled_from(users)), max_size=3)))
    config = ModuleConfig(draw(names()), own, queuing, sampling, draw(schedules(owners)), health, grants)
    config.check()
    return config
