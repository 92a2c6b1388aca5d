"""loadgen puts load on cache servers that speak RESP or memcache, and says what happened."""

__version__ = "0.1.0"
