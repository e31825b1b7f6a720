"""wattwheel: a smart-meter operating platform for Linux."""
