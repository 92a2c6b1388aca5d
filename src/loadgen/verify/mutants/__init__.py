"""Mutants: what ships, with one defect each, to prove that the checks of `simulate` find such defects.

    LOADGEN_MUTANT="stale read" loadgen simulate --seeds 1000

No shipping code asks for a mutant: `loadgen simulate` and `loadgen replay` plant the one that the environment names.
"""
