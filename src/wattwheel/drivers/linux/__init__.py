"""The hil on a Linux machine."""
