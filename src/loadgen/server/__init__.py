"""The built-in server: its storage, its protocols, its faults, and its process."""
