"""The self-test: the most load that the generator reaches on this host."""
