"""The process that decides over packets: queued by the kernel, each is passed on, held back, dropped or sent twice.

The process runs in a server's network namespace. `faults.net.queued` starts it, and is the only one to talk to it.
"""
