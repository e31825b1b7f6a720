"""What hardware promises: interfaces only."""
