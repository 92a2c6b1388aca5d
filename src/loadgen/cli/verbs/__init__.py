"""The verbs of the command line: one file each, with `SYNTAX` and `run(given)`."""
