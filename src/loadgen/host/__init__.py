"""What the machine says of itself, and what is asked of it."""
