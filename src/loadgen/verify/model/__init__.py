"""What servers must answer: a subset of Redis and memcache in plain Python. Told the time; no I/O, no clock."""
