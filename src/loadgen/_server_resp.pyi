from loadgen._server_connection import Connection

REDIS_VERSION: str

class RespConnection(Connection): ...
