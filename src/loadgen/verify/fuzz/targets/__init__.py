"""The targets that are examined in a process of their own: a file for each, with `examine`."""
