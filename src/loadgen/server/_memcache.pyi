from loadgen.server._connection import Connection

VERSION: str

class MemcacheConnection(Connection): ...
