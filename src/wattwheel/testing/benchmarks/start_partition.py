"""The partition of the start benchmark: an APP that does nothing but tell when its first line ran."""

from __future__ import annotations

from wattwheel.apex.partition import StartContext

BEGAN_PORT = "began"
BEGAN_OCTETS = 8


def tell_start(context: StartContext) -> None:
    """Write the instant of this call, in nanoseconds of the monotonic clock, to the port `began`."""
    began_ns = context.clock.now_ns()
    context.sampling_source(BEGAN_PORT).write(began_ns.to_bytes(BEGAN_OCTETS, "big"))
