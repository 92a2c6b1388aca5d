"""Servers under verification, of which each is asked one command after the other: real ones, and the model."""
