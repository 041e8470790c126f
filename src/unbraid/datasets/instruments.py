"""The instruments that the composer writes for: General MIDI programs, their class and their stem.

Class names are those of the Slakh2100 metadata (Manilow et al., "Cutting Music Source Separation Some
Slakh", WASPAA 2019); "Vocals" is added because Slakh has no singing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CATEGORIES = ("vocals", "drums", "bass", "other")
"""The stems that every part belongs to one of."""

_FAMILY_CLASSES = (
    "Piano",
    "Chromatic Percussion",
    "Organ",
    "Guitar",
    "Bass",
    "Strings",
    "Strings (continued)",
    "Brass",
    "Reed",
    "Pipe",
    "Synth Lead",
    "Synth Pad",
    "Synth Effects",
    "Ethnic",
    "Percussive",
)


class Family(Enum):
    """How an instrument makes its sound; built-in synthesis has one timbre for each."""

    STRUCK = "struck"
    BELL = "bell"
    ORGAN = "organ"
    PLUCKED = "plucked"
    BASS_STRING = "bass string"
    DRIVEN = "driven"
    BOWED = "bowed"
    BRASS = "brass"
    REED = "reed"
    FLUTE = "flute"
    LEAD = "lead"
    PAD = "pad"
    SYNTH_BASS = "synth bass"
    DRUMS = "drums"
    VOICE = "voice"


@dataclass(frozen=True)
class Instrument:
    """One playable instrument.

    Args:
        name: General MIDI program name, or the name of the kit or singer.
        program: 0-based General MIDI program number (drum kits: the kit's program on channel 10).
        family: how it makes its sound.
        low: lowest MIDI pitch that the composer writes.
        high: highest MIDI pitch that the composer writes.
    """

    name: str
    program: int
    family: Family
    low: int
    high: int

    @property
    def is_drum(self) -> bool:
        """Whether pitches are drum sounds, not notes."""
        return self.family is Family.DRUMS

    @property
    def category(self) -> str:
        """The stem that the instrument belongs to: one of ``CATEGORIES``."""
        if self.family is Family.DRUMS:
            return "drums"
        if self.family is Family.VOICE:
            return "vocals"
        return "bass" if 32 <= self.program < 40 else "other"

    @property
    def inst_class(self) -> str:
        """Class in the words of Slakh2100, such as "Guitar"."""
        if self.family is Family.DRUMS:
            return "Drums"
        return "Vocals" if self.family is Family.VOICE else _FAMILY_CLASSES[self.program // 8]


_ALL = (
    Instrument("Acoustic Grand Piano", 0, Family.STRUCK, 36, 96),
    Instrument("Bright Acoustic Piano", 1, Family.STRUCK, 36, 96),
    Instrument("Electric Grand Piano", 2, Family.STRUCK, 36, 90),
    Instrument("Electric Piano 1", 4, Family.BELL, 36, 88),
    Instrument("Electric Piano 2", 5, Family.BELL, 36, 88),
    Instrument("Harpsichord", 6, Family.PLUCKED, 40, 86),
    Instrument("Clavinet", 7, Family.PLUCKED, 40, 84),
    Instrument("Celesta", 8, Family.BELL, 60, 100),
    Instrument("Glockenspiel", 9, Family.BELL, 72, 100),
    Instrument("Vibraphone", 11, Family.BELL, 53, 89),
    Instrument("Marimba", 12, Family.STRUCK, 48, 90),
    Instrument("Drawbar Organ", 16, Family.ORGAN, 36, 90),
    Instrument("Rock Organ", 18, Family.ORGAN, 36, 90),
    Instrument("Church Organ", 19, Family.ORGAN, 36, 90),
    Instrument("Accordion", 21, Family.REED, 48, 88),
    Instrument("Acoustic Guitar (nylon)", 24, Family.PLUCKED, 40, 82),
    Instrument("Acoustic Guitar (steel)", 25, Family.PLUCKED, 40, 82),
    Instrument("Electric Guitar (jazz)", 26, Family.PLUCKED, 40, 84),
    Instrument("Electric Guitar (clean)", 27, Family.PLUCKED, 40, 84),
    Instrument("Electric Guitar (muted)", 28, Family.PLUCKED, 40, 76),
    Instrument("Overdriven Guitar", 29, Family.DRIVEN, 40, 86),
    Instrument("Distortion Guitar", 30, Family.DRIVEN, 38, 86),
    Instrument("Acoustic Bass", 32, Family.BASS_STRING, 28, 55),
    Instrument("Electric Bass (finger)", 33, Family.BASS_STRING, 28, 55),
    Instrument("Electric Bass (pick)", 34, Family.BASS_STRING, 28, 55),
    Instrument("Fretless Bass", 35, Family.BASS_STRING, 28, 55),
    Instrument("Slap Bass 1", 36, Family.BASS_STRING, 28, 55),
    Instrument("Synth Bass 1", 38, Family.SYNTH_BASS, 26, 52),
    Instrument("Synth Bass 2", 39, Family.SYNTH_BASS, 26, 52),
    Instrument("Violin", 40, Family.BOWED, 55, 96),
    Instrument("Cello", 42, Family.BOWED, 36, 72),
    Instrument("Pizzicato Strings", 45, Family.PLUCKED, 43, 84),
    Instrument("Orchestral Harp", 46, Family.PLUCKED, 36, 96),
    Instrument("String Ensemble 1", 48, Family.BOWED, 36, 90),
    Instrument("String Ensemble 2", 49, Family.BOWED, 36, 90),
    Instrument("Synth Strings 1", 50, Family.PAD, 36, 90),
    Instrument("Trumpet", 56, Family.BRASS, 55, 84),
    Instrument("Trombone", 57, Family.BRASS, 41, 70),
    Instrument("Muted Trumpet", 59, Family.BRASS, 55, 82),
    Instrument("French Horn", 60, Family.BRASS, 41, 74),
    Instrument("Brass Section", 61, Family.BRASS, 43, 82),
    Instrument("Synth Brass 1", 62, Family.BRASS, 40, 82),
    Instrument("Soprano Sax", 64, Family.REED, 56, 86),
    Instrument("Alto Sax", 65, Family.REED, 50, 80),
    Instrument("Tenor Sax", 66, Family.REED, 44, 75),
    Instrument("Oboe", 68, Family.REED, 58, 88),
    Instrument("Clarinet", 71, Family.REED, 50, 88),
    Instrument("Flute", 73, Family.FLUTE, 60, 94),
    Instrument("Pan Flute", 75, Family.FLUTE, 60, 90),
    Instrument("Square Lead", 80, Family.LEAD, 48, 90),
    Instrument("Saw Lead", 81, Family.LEAD, 48, 90),
    Instrument("Charang Lead", 84, Family.LEAD, 48, 86),
    Instrument("New Age Pad", 88, Family.PAD, 40, 88),
    Instrument("Warm Pad", 89, Family.PAD, 40, 88),
    Instrument("Polysynth Pad", 90, Family.PAD, 40, 88),
    Instrument("Sweep Pad", 95, Family.PAD, 40, 88),
    Instrument("Crystal Effect", 98, Family.BELL, 52, 92),
    Instrument("Sitar", 104, Family.PLUCKED, 45, 80),
    Instrument("Banjo", 105, Family.PLUCKED, 48, 86),
    Instrument("Kalimba", 108, Family.BELL, 53, 88),
    Instrument("Steel Drums", 114, Family.BELL, 52, 88),
    Instrument("Standard Kit", 0, Family.DRUMS, 35, 82),
    Instrument("Room Kit", 8, Family.DRUMS, 35, 82),
    Instrument("Power Kit", 16, Family.DRUMS, 35, 82),
    Instrument("Electronic Kit", 24, Family.DRUMS, 35, 82),
    Instrument("Analog Kit", 25, Family.DRUMS, 35, 82),
    Instrument("Jazz Kit", 32, Family.DRUMS, 35, 82),
    Instrument("Brush Kit", 40, Family.DRUMS, 35, 82),
    Instrument("Orchestra Kit", 48, Family.DRUMS, 35, 82),
    Instrument("Female Voice", 53, Family.VOICE, 53, 76),
    Instrument("Male Voice", 53, Family.VOICE, 41, 65),
    Instrument("Child Voice", 53, Family.VOICE, 58, 79),
)

INSTRUMENTS: dict[str, Instrument] = {instrument.name: instrument for instrument in _ALL}
"""Every instrument by its name."""
