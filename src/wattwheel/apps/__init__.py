"""The standard APPs, each a partition."""
