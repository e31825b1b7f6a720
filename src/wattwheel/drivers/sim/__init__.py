"""The hil in a simulated world."""
