"""Events in words, the same in every format for people."""
