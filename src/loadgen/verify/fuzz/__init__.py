"""Fuzzing: inputs that are mutated from a corpus, and the targets that they are given to."""
