"""Agents on simulated machines, with workers whose counts are known, and the machine of their leader."""
