from loadgen.verify._tape import Draws

class Order:
    window_ns: int

class Uniform(Order):
    def __init__(self, tape: Draws) -> None: ...

class Priorities(Order):
    def __init__(self, tape: Draws, events: int, changes: int, window_ns: int) -> None: ...
