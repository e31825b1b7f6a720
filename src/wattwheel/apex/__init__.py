"""What may cross the partition wall: messages, ports, the wheel, and the start context."""
