"""Comparisons of servers: rounds, candidates, and the answer for each metric."""
