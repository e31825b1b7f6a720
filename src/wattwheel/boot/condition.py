"""What the kernel knows of the meter's condition, out of what the partitions count."""

from __future__ import annotations

from wattwheel.model.condition import Condition
from wattwheel.model.core_records import CoreFault

FRAME_COUNTERS = (
    *("reads_by_owner", "reads_from_snapshot", "reads_refused", "reads_unanswered"),
    *("changes_done", "changes_refused", "abnormal"),
)
"""Of the communication service: together they count the frames that were for this meter."""


def faults_in(counters: dict[str, dict[str, int]]) -> list[str]:
    """Names of the faults that stand now, from what the services publish. Explained in docs/reference/json.md."""
    metering, store = counters.get("metering", {}), counters.get("store", {})
    faults = [str(fault.name).lower() for fault in CoreFault if fault & metering.get("core_faults", 0)]
    faults += ["registers_behind"] if metering.get("behind_microjoule") else []
    faults += ["clock_lost"] if counters.get("platform", {}).get("clock_lost") else []
    faults += ["store_write"] if store.get("store_failing") else []
    return faults + (["store_damaged"] if store.get("store_unmended") else [])


def condition_of(counters: dict[str, dict[str, int]]) -> Condition:
    """What the display and the APP `energy` are told: the faults, and the frames that have come over all doors."""
    communication = counters.get("communication", {})
    frames = sum(communication.get(name, 0) for name in FRAME_COUNTERS)
    return Condition(frozenset(faults_in(counters)), frames)
