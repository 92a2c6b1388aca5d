"""Toxics and the links that they are chained in: state machines that are told chunks of bytes and the time.

No sockets and no clock: a link works on the kernel and in a simulated world alike.
"""
