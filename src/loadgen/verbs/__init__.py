"""What a command line can ask for: one file per verb, with `add_arguments(parser)` and `run(args)`."""
