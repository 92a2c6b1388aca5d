from typing import TypeAlias

from loadgen.client._connection import Connection
from loadgen.client._request import Request
from loadgen.client.batch import Batch
from loadgen.client.breaker import Transition

class Dial:
    __match_args__ = ("connection",)
    def __init__(self, connection: Connection) -> None: ...
    @property
    def connection(self) -> Connection: ...

class Send:
    __match_args__ = ("connection", "data")
    @property
    def connection(self) -> Connection: ...
    @property
    def data(self) -> bytes: ...

class Close:
    __match_args__ = ("connection",)
    def __init__(self, connection: Connection) -> None: ...
    @property
    def connection(self) -> Connection: ...

class Ended:
    __match_args__ = ("call",)
    @property
    def call(self) -> Request | Batch: ...

class Changed:
    __match_args__ = ("node", "transition")
    def __init__(self, node: int, transition: Transition) -> None: ...
    @property
    def node(self) -> int: ...
    @property
    def transition(self) -> Transition: ...

class Closed: ...

Action: TypeAlias = Dial | Send | Close | Ended | Changed | Closed
Actions: TypeAlias = list[Action]
