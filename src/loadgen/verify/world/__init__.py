"""A simulated world: time, hosts and network are drawn from a tape, and shipping code runs in it unmodified."""
