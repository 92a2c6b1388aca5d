"""A conversation with a server that is kept from one reading to the next, and begun anew when it has broken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Target
from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence
from loadgen.units import NS_PER_S

MOST_BYTES = 1 << 20
"""The most bytes of one answer: Redis' whole INFO is some 7 KB, and more with many databases."""

T = TypeVar("T")
Greeted = TypeVar("Greeted")


def target_of(plan: MonitorPlan, under: UnderLoad) -> Target:
    """Return the server to read, in its first endpoint. Raises Unreadable when nothing names one."""
    target = plan.server or under.target
    if target is None or not target.endpoints:
        raise Unreadable("no server is named, and none is under load; write server")
    return target


def no_answer(target: Target, question: str, end: NoAnswerError) -> Unreadable:
    """Return the error for a server that has not answered a question."""
    words = {Silence.LATE: "it does not answer in time", Silence.REFUSED: Silence.REFUSED.value}.get(
        end.silence, end.words
    )
    return Unreadable(f"{target.endpoints[0]} cannot be asked for {question}: {words}")


class Talk(Generic[Greeted]):
    """A conversation with one server. `greet` returns what questions are asked of, once the server was greeted."""

    def __init__(self, timeout_ns: int, greet: Callable[[Conversation, Target], Greeted]) -> None:
        self._timeout_s = timeout_ns / NS_PER_S
        self._greet = greet
        self._open: tuple[ExitStack, Conversation, Greeted] | None = None

    def ask(self, target: Target, question: str, ask: Callable[[Greeted], T]) -> T:
        """Return what `ask` returns, which may be called a second time, when a conversation of before has broken.

        Raises Unreadable when there is no answer, and what `greet` and `ask` raise; the conversation is over then.
        """
        was_open = self._open is not None
        try:
            return self._asked(target, ask)
        except NoAnswerError as end:
            if not was_open or end.silence not in (Silence.CLOSED, Silence.BROKEN):
                raise no_answer(target, question, end) from None
        try:
            return self._asked(target, ask)
        except NoAnswerError as end:
            raise no_answer(target, question, end) from None

    def close(self) -> None:
        """End the conversation, if there is one."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _asked(self, target: Target, ask: Callable[[Greeted], T]) -> T:
        try:
            if self._open is None:
                stack, endpoint = ExitStack(), target.endpoints[0]
                conversation = stack.enter_context(Conversation(endpoint, self._timeout_s, MOST_BYTES, tls=target.tls))
                self._open = stack, conversation, self._greeted(stack, conversation, target)
            _, conversation, greeted = self._open
            conversation.allow(self._timeout_s, MOST_BYTES)
            return ask(greeted)
        except BaseException:
            self.close()
            raise

    def _greeted(self, stack: ExitStack, conversation: Conversation, target: Target) -> Greeted:
        try:
            return self._greet(conversation, target)
        except BaseException:
            stack.close()
            raise
