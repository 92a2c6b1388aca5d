"""What a command line can ask for: one file per verb, with `SYNTAX` and `run(given)`."""
