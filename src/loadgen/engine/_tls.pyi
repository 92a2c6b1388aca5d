from typing import Any

from loadgen.engine._transport import Transport

class Span: ...
class Secured: ...

class Tls(Transport):
    resumed: int
    def __init__(self, *arguments: Any) -> None: ...
