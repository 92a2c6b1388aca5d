from loadgen._codec import Codec
from loadgen._request import Commands
from loadgen._siblings import Siblings

class Resp(Codec):
    def __init__(
        self,
        key_length: int = 16,
        value_bytes: int = 64,
        *,
        version: int = 2,
        username: str = "",
        password: str = "",
        prefix: bytes = b"",
        commands: Commands | None = None,
        run: int = 0,
        ttl_ms: int = 0,
        tracking: tuple[bytes, ...] = (),
        siblings: Siblings | None = None,
        by_slot: bool = False,
    ) -> None: ...
