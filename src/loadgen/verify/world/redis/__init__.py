"""A Redis server without sockets and clocks: told bytes and the time, it answers through what it is given."""
