"""Shipped test kit: simulation, conformance, drills, benchmarks."""
