"""Measurements beside the peers, for `wattwheel bench`."""
