"""Conversations with a server before and beside the load, bounded in time and in size whatever the server answers."""
