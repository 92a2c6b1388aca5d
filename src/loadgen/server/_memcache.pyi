from loadgen.server._connection import Connection, Service

VERSION: str

class MemcacheConnection(Connection): ...

def calls(service: Service) -> dict[str, int]: ...
