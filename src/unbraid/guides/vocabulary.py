"""The names that several rooms must agree on, and what is like a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NEAR = 0.65
INSTRUMENT_CLASSES = (
    "vocals", "drums", "bass", "electric guitar", "acoustic guitar", "piano", "keyboards", "synthesizer", "organ",
    "strings", "brass", "woodwinds", "percussion", "accordion", "mallets", "pipe organ", "bagpipes", "whistling",
)  # fmt: skip
"""The 18 classes of few-shot separation; the paper names some of them, the others are a choice of this project.

A network of classes is asked with a one-hot vector in this order, so that it must not change.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 4.
"""


def nearest(name: str, labels: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the labels that are like a name, the most like it first: a slip of the keys, or words in common.

    Example:
        >>> nearest("rif", ["vocals", "riff"]), nearest("Guitar", ["bass guitar", "bass", "guitar"])
        (['riff'], ['guitar', 'bass guitar'])
    """
    likeness = {label: _likeness(name.casefold(), label.casefold()) for label in labels}
    near = [label for label, value in likeness.items() if value >= NEAR]
    return sorted(near, key=lambda label: -likeness[label])[:most]


def _likeness(one: str, other: str) -> float:
    """Return how like each other two names are, from 0 to 1."""
    letters = difflib.SequenceMatcher(None, one, other).ratio()
    words, others = set(one.split()), set(other.split())
    return max(letters, NEAR) if words and others and (words <= others or others <= words) else letters
