"""The command line: argv → verb."""
