"""The formats of `--format`, and progress."""
