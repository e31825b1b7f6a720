"""The services of ARINC 653 Part 1 in the standard's own names, one class a family: the raw level.

A service that can wait returns a `Request`, which a process yields; every other acts at once. Outputs come before the
return code, as in the standard: `process_id, code = apex.CREATE_PROCESS(...)`.
"""

from __future__ import annotations

from wattwheel.apex.partition import StartContext
from wattwheel.apex.scheduler import PROCESS_BIT, Scheduler
from wattwheel.apex.services.blackboards import BlackboardServices
from wattwheel.apex.services.buffers import BufferServices
from wattwheel.apex.services.events import EventServices
from wattwheel.apex.services.health import HealthServices
from wattwheel.apex.services.mutexes import MutexServices
from wattwheel.apex.services.partition import PartitionServices
from wattwheel.apex.services.processes import ProcessServices
from wattwheel.apex.services.queuing import QueuingServices
from wattwheel.apex.services.sampling import SamplingServices
from wattwheel.apex.services.semaphores import SemaphoreServices
from wattwheel.apex.services.time import TimeServices

FAMILIES = {
    "Partition": PartitionServices,
    "Processes": ProcessServices,
    "Time": TimeServices,
    "Sampling ports": SamplingServices,
    "Queuing ports": QueuingServices,
    "Buffers": BufferServices,
    "Blackboards": BlackboardServices,
    "Semaphores": SemaphoreServices,
    "Events": EventServices,
    "Mutexes": MutexServices,
    "Health monitor": HealthServices,
}
"""The families in the standard's order."""


class Apex(
    PartitionServices,
    HealthServices,
    TimeServices,
    SamplingServices,
    QueuingServices,
    BufferServices,
    BlackboardServices,
    SemaphoreServices,
    EventServices,
):
    """All services of one partition. One a start context: it takes the wheel's task `bit` for the processes."""

    def __init__(self, context: StartContext, bit: int = PROCESS_BIT) -> None:
        super().__init__(Scheduler(context, bit))

    @property
    def scheduler(self) -> Scheduler:
        """What runs the processes."""
        return self._scheduler
