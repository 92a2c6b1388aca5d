"""The fault-injecting proxy: Toxiproxy 2.12's toxics and HTTP API, and what loadgen does with a running proxy.

`chain` and `api` are state machines that are told bytes and the time. `_pump`, `conversation` and `server` are the
shell around them: sockets and the clock. `client`, `managed` and `interpreter` are for whoever uses a proxy in another
process.
"""
