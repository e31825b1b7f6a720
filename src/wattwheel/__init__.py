"""wattwheel: a smart-meter operating platform for Linux."""

__version__ = "0.1.0"
