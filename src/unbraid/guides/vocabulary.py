"""The names that several rooms must agree on."""

INSTRUMENT_CLASSES = (
    "vocals", "drums", "bass", "electric guitar", "acoustic guitar", "piano", "keyboards", "synthesizer", "organ",
    "strings", "brass", "woodwinds", "percussion", "accordion", "mallets", "pipe organ", "bagpipes", "whistling",
)  # fmt: skip
"""The 18 classes of few-shot separation; the paper names some of them, the others are a choice of this project.

A network of classes is asked with a one-hot vector in this order, so that it must not change.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 4.
"""
