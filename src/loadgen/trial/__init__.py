"""Clients on trial: any memcache or RESP client under a workload and faults, and checks on what the client did.

`plan`, `observed`, `check` and `ended` are values. `scenario` reads the shipped scenarios, `adapters` has the clients,
`caller` is the process that calls a client, and `trial` leads one scenario from its start to its end.
"""
