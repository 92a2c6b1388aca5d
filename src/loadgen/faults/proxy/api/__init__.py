"""Proxies and their HTTP API, which is Toxiproxy's: requests in, responses out. No sockets and no clock."""
