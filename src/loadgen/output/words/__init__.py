"""What events say in words, the same in every format for people."""
