from loadgen._request import Commands

class Codec:
    longest: int
    commands: Commands
    def encoded(
        self, command: str, key: int = 0, value: bytes = b"", *, number: int = 0, phase: str = "precheck"
    ) -> bytes: ...
    def decoder(self, in_load: bool = False) -> Replies: ...

class Replies:
    value_head: bytes
    def __init__(self, codec: Codec, in_load: bool = False) -> None: ...
    def feed(
        self, data: bytes, commands: str | list[str], replies: list[str | tuple[str, str]] | None = None
    ) -> list[str | tuple[str, str]]: ...
