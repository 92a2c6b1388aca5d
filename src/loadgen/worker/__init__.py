"""One worker process, and how its parent sees it."""
