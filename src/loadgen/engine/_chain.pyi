from loadgen._siblings import Siblings
from loadgen.engine._route import Route

class Chain(Siblings):
    def __init__(self, count: int, most: int, route: Route) -> None: ...
