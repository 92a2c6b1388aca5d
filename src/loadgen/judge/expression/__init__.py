"""The language of checks: `p99 < 5ms and growth(fds) < 5/min`. A text is parsed, checked against the names that there
are, and evaluated on measured values. Pure functions; what is measured is told by an `Environment`."""
