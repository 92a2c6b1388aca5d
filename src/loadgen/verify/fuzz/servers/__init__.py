"""Servers that are given inputs: one that loadgen starts, and the targets that it is."""
