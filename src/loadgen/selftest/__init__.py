"""What this host's generator can do."""
