"""Wrong tokens: who gives several different ones in a short time is guessing, and has to wait."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from unbraid.server.refusals import TooManyTokens

MAX_WRONG = 10
SECONDS = 60.0
_ADDRESSES = 1024  # remembered at most


class Attempts:
    """Wrong tokens by the address that they came from, in memory.

    The same wrong token counts once: a page that was left open may go on asking with the token of yesterday.

    Args:
        most: different wrong tokens of one address.
        seconds: after the first of them, all are forgotten.
        clock: tells the seconds.

    Example:
        >>> attempts = Attempts(most=1)
        >>> attempts.note("192.168.1.7", "a guess")
        >>> attempts.check("192.168.1.7")
        Traceback (most recent call last):
        unbraid.server.refusals.TooManyTokens: too many wrong tokens: wait for 60 s
    """

    def __init__(
        self, *, most: int = MAX_WRONG, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[float, set[bytes]]] = OrderedDict()  # when it began, and hashes of tokens

    def check(self, address: str) -> None:
        """Refuse whoever is guessing, also a token that is right.

        Raises:
            TooManyTokens: if there were too many wrong ones.
        """
        began, tokens = self._wrong.get(address, (0.0, set()))
        left = began + self._seconds - self._clock()
        if len(tokens) >= self._most and left > 0:
            raise TooManyTokens(f"too many wrong tokens: wait for {max(1, round(left))} s")

    def note(self, address: str, token: str) -> None:
        """Remember a wrong token."""
        began, tokens = self._wrong.pop(address, (self._clock(), set()))
        if began + self._seconds <= self._clock():
            began, tokens = self._clock(), set()
        tokens.add(hashlib.sha256(token.encode()).digest())
        self._wrong[address] = (began, tokens)
        if len(self._wrong) > _ADDRESSES:
            self._wrong.popitem(last=False)
