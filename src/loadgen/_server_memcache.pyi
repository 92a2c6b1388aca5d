from loadgen._server_connection import Connection

VERSION: str

class MemcacheConnection(Connection): ...
