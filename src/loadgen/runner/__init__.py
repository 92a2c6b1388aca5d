"""The leaders of a load: the crew of workers, a run, a search, and the watch on a server."""
