"""A configuration as the user wrote it: texts, positions, origins and problems. It knows no key's meaning."""
