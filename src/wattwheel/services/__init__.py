"""The middle layer: bus, communication, metering, store."""
