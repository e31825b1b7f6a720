"""What an APP imports."""
