"""The templates of reports that come with loadgen, each with the name by which `--template` takes it."""

SHIPPED = ("report.md", "soak.md")
"""A file of the user's that has such a name wins. The first is the default."""
