from loadgen._codec import Codec
from loadgen._request import Commands
from loadgen._siblings import Siblings

class Memcache(Codec):
    def __init__(
        self,
        key_length: int = 16,
        value_bytes: int = 64,
        *,
        prefix: bytes = b"",
        commands: Commands | None = None,
        run: int = 0,
        ttl_s: int = 0,
        quiet: bool = False,
        username: str = "",
        password: str = "",
        siblings: Siblings | None = None,
    ) -> None: ...
