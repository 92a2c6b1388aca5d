"""Servers of HTTP/1.1: requests in, responses out, and a connection's deadlines. It does not know what is asked."""
