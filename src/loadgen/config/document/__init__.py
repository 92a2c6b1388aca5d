"""A configuration as the user wrote it: texts, positions, origins and problems, without the meaning of keys."""
