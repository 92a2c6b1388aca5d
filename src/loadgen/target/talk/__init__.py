"""Talking to a server before and beside the load: bounded in time and in size, whatever it answers."""
