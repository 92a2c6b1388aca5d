"""One worker process, its messages, and its parent's view of it."""
