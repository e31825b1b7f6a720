"""Bounds of the APEX, in the standard's words. A bound that the standard leaves open is marked as ours."""

from __future__ import annotations

NAME_LENGTH_MAX = 30
INFINITE = -1
"""A time that never ends: a time-out that never comes, a period or a time capacity that there is none of."""
TIME_NS_MAX = (1 << 63) - 1
PRIORITY_MIN, PRIORITY_MAX = 1, 239
LOCK_LEVEL_MAX = 16
"""Of the preemption lock, and of a mutex that its owner acquires again."""
MESSAGES_MAX = 512
MESSAGE_OCTETS_MAX = 8192
PROCESSES_MAX = 128
SAMPLING_PORTS_MAX = 512
QUEUING_PORTS_MAX = 512
BUFFERS_MAX = 256
BLACKBOARDS_MAX = 256
SEMAPHORES_MAX = 256
SEMAPHORE_VALUE_MAX = 32767
EVENTS_MAX = 256
MUTEXES_MAX = 256
STACK_OCTETS_MAX = 16 * 1024 * 1024  # ours; a generator has no stack of its own, the number is checked and shown
ERROR_MESSAGE_OCTETS_MAX = 128
ERRORS_WAITING_MAX = 128  # ours: errors that wait for the error handler
NO_MUTEX_OWNED = -2
PREEMPTION_LOCK = -3
