"""Simulated cases: shipping code in a world, whose network, servers, load and faults are drawn from the case's tape."""
