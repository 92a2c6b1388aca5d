"""The proxy's HTTP API: bytes of a connection to responses. The API has proxies, and no sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence

from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.api.proxies import Proxies
from loadgen.faults.proxy.api.proxy import NetworkError, Proxy
from loadgen.faults.proxy.api.routes import Api, Offered
from loadgen.faults.proxy.chain.draws import DrawLog
from loadgen.verify.fuzz.examined import Examined
from loadgen.web.http import MalformedError, Request, RequestReader, Response

CARRIED_OUT, REFUSED, MALFORMED, WAITING = "carried out", "refused", "malformed", "waiting for more"

SAME = "a connection has the same requests however its bytes are cut"
ANSWERS = "a response has a status that the API has, and JSON where it says so"

_STATUSES = frozenset((200, 201, 204, 400, 403, 404, 405, 409, 500))
_ERRORS = frozenset((400, 413, 431, 501))
"""The statuses that answer bytes that are no request."""

_FIRST_PORT = 40_000


class _Network:
    """A network whose ports are all free. Only numbers and localhost are hosts."""

    def __init__(self) -> None:
        self._next = _FIRST_PORT

    def now_ns(self) -> int:
        return 0

    def listen(self, proxy: Proxy) -> str:
        host, port = self._split(proxy.listen)
        self._next += 1
        return address.joined(host, port or self._next)

    def stop(self, proxy: Proxy) -> int:
        return 0

    def resolved(self, text: str) -> str:
        return address.joined(*self._split(text))

    def _split(self, text: str) -> tuple[str, int]:
        try:
            host, port = address.split(text)
        except address.AddressError as error:
            raise NetworkError(str(error)) from None
        if host not in ("", "localhost", "::1") and not host.replace(".", "").isdigit():
            raise NetworkError(f"lookup {host}: no such host")
        return host, port


class _Received:
    """The requests of one connection."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.requests: list[Request] = []
        self.refused: int = 0
        """The status that answers bytes that are no request; 0 for none."""
        reader = RequestReader()
        try:
            for piece in pieces:
                reader.feed(piece)
                while (request := reader.next()) is not None:
                    self.requests.append(request)
        except MalformedError as error:
            self.refused = error.status


def examine(words: Sequence[str], data: bytes) -> Examined:
    """Answer the requests on one connection, read whole and cut. Raises what is not MalformedError."""
    whole = _Received([data])
    log = DrawLog()
    api = Api(Proxies(_Network(), log, 1), log, Offered(proxies=True))
    answers = [api.respond(request) for request in whole.requests]
    for answer in answers:
        if wrong := _wrong(answer):
            return Examined((), ANSWERS, wrong, "a response that is none")
    if whole.refused and whole.refused not in _ERRORS:
        return Examined((), ANSWERS, f"status {whole.refused} answers what is no request", "a status that there is not")
    cuts = [[data[:place], data[place:]] for place in range(1, len(data))]
    cuts.append([data[at : at + 1] for at in range(len(data))])
    for pieces in cuts:
        found = _Received(pieces)
        if (found.requests, found.refused) != (whole.requests, whole.refused):
            place = f"after {len(pieces[0])} bytes" if len(pieces) == 2 else "at every byte"
            return Examined((), SAME, f"cut {place}: {_words(found)}, and whole {_words(whole)}", "requests differ")
    return Examined(_states(whole, answers))


def _wrong(answer: Response) -> str:
    """Return what is wrong with a response; empty when nothing is."""
    if answer.status not in _STATUSES:
        return f"the status is {answer.status}"
    if answer.content_type.startswith("application/json"):
        try:
            json.loads(answer.body)
        except ValueError as error:
            return f"the body is no JSON ({error}): {answer.body!r:.200}"
    return ""


def _states(whole: _Received, answers: Sequence[Response]) -> tuple[str, ...]:
    reached = {
        CARRIED_OUT: any(answer.status < 300 for answer in answers),
        REFUSED: any(answer.status >= 400 for answer in answers),
        MALFORMED: bool(whole.refused),
        WAITING: not whole.refused and not answers,
    }
    return tuple(state for state, was_reached in reached.items() if was_reached)


def _words(of: _Received) -> str:
    targets = [f"{request.method} {request.target}" for request in of.requests]
    return f"{targets} and {of.refused or 'no refusal'}"
