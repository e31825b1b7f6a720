"""The partition kernel: partitions, channels, health."""
