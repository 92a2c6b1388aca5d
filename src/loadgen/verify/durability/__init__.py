"""Acknowledged writes, and what became of them: what is written, what was answered, what is there after a restart."""
