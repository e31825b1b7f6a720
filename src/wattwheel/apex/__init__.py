"""What may cross the partition wall."""
