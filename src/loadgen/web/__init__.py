"""HTTP/1.1: a server's requests, responses and deadlines, and a GET that blocks. It does not know what is asked."""
