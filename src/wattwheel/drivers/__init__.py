"""Implementations of hil, named only by boot and testing."""
