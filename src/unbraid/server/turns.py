"""Who separates next, of all that one worker has begun."""

from __future__ import annotations

from dataclasses import dataclass

URGENT_SECONDS = 60.0  # of a region that somebody waits for; a longer one takes turns like a whole song


def is_urgent(region: tuple[float, float] | None) -> bool:
    """Tell whether a job goes before those that take turns.

    Example:
        >>> is_urgent((12.0, 16.0)), is_urgent((0.0, 3600.0)), is_urgent(None)
        (True, False, False)
    """
    return region is not None and region[1] - region[0] <= URGENT_SECONDS


@dataclass(eq=False)
class _Guest:
    is_urgent: bool
    spent: float


class Turns:
    """Shares the time of a worker, not its steps: a window of one model may take a hundred times that of another.

    What is urgent goes first. Behind each urgent one that ends, one of the others has a turn, so that no row of urgent
    ones holds them up for good. Among equals it is the one that has had the least time; who comes later begins with as
    much as the least of those that are there.

    Example:
        >>> turns = Turns()
        >>> turns.join("long", is_urgent=False)
        >>> turns.join("short", is_urgent=False)
        >>> turns.spend("long", 8.0)
        >>> turns.next()
        'short'
    """

    def __init__(self) -> None:
        self._guests: dict[str, _Guest] = {}
        self._is_owed = False

    def join(self, token: str, *, is_urgent: bool) -> None:
        """Let another one take part."""
        spent = min((one.spent for one in self._equals(is_urgent).values()), default=0.0)
        self._guests[token] = _Guest(is_urgent, spent)

    def leave(self, token: str) -> None:
        """Forget one that has ended."""
        self._is_owed = self._guests.pop(token).is_urgent

    def spend(self, token: str, seconds: float) -> None:
        """Note the time that one has had."""
        guest = self._guests[token]
        guest.spent += seconds
        self._is_owed &= guest.is_urgent

    def next(self) -> str:
        """Return whose turn it is; there must be one."""
        urgent, patient = self._equals(True), self._equals(False)
        waiting = patient if not urgent or (patient and self._is_owed) else urgent
        return min(waiting, key=lambda token: waiting[token].spent)

    def _equals(self, is_urgent: bool) -> dict[str, _Guest]:
        return {token: one for token, one in self._guests.items() if one.is_urgent == is_urgent}
