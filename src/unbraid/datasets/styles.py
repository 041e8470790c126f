"""The styles that the composer knows: tables of tempos, chords, rhythms and line-ups.

Rhythms are written as one string per bar; a bar of any number of steps may be used, the string's length
divides the bar. Drums: ``X`` accent, ``x`` hit, ``o`` ghost note. Bass: ``1 3 5 7 8`` chord tones and
the octave, ``a`` a step below or above the next root, ``w`` a walking step. Chords: ``x`` strike, ``s``
short strike. Arpeggios: digits are chord tones from the lowest. Everywhere ``-`` holds and ``.`` rests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

KICK, RIM, SNARE, CLAP, HAT, PEDAL, OPEN = 36, 37, 38, 39, 42, 44, 46
LOW_TOM, MID_TOM, HIGH_TOM, CRASH, RIDE = 45, 47, 50, 49, 51
TAMBOURINE, COWBELL, HIGH_CONGA, LOW_CONGA, SHAKER, CLAVES = 54, 56, 63, 64, 70, 75

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}


class Role(Enum):
    """What a part does in the song."""

    DRUMS = "drums"
    PERCUSSION = "percussion"
    BASS = "bass"
    CHORDS = "chords"
    ARPEGGIO = "arpeggio"
    MELODY = "melody"
    PAD = "pad"
    LEAD = "lead vocal"
    BACKING = "backing vocal"


@dataclass(frozen=True)
class Seat:
    """One place in a line-up: who may take it, and how often it is taken."""

    role: Role
    probability: float
    instruments: tuple[str, ...]


Groove = dict[int, str]


@dataclass(frozen=True)
class Style:
    """Everything that the composer needs to know of one style.

    ``tempo`` is in beats per minute, ``swing`` the delay of every second step as a fraction of a step,
    ``looseness`` the standard deviation of the timing in seconds, ``progressions`` are 0-based scale
    degrees with one chord per bar.
    """

    tempo: tuple[float, float]
    modes: tuple[str, ...]
    progressions: tuple[tuple[int, ...], ...]
    grooves: tuple[Groove, ...]
    basses: tuple[str, ...]
    compings: tuple[str, ...]
    seats: tuple[Seat, ...]
    arpeggios: tuple[str, ...] = ("01210121", "02120212", "0123210123210123")
    beats: int = 4
    swing: float = 0.0
    sevenths: float = 0.1
    looseness: float = 0.008


_SINGERS = ("Female Voice", "Male Voice", "Female Voice", "Male Voice", "Child Voice")
_PIANOS = ("Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano")
_STRINGS = ("String Ensemble 1", "String Ensemble 2", "Synth Strings 1")
_PADS = ("New Age Pad", "Warm Pad", "Polysynth Pad", "Sweep Pad", "Synth Strings 1")
_HAND_PERCUSSION = ("Standard Kit", "Room Kit")


def _voices(lead: float, backing: float) -> tuple[Seat, Seat]:
    return Seat(Role.LEAD, lead, _SINGERS), Seat(Role.BACKING, backing, _SINGERS)


STYLES: dict[str, Style] = {
    "rock": Style(
        tempo=(100, 160),
        modes=("major", "minor", "mixolydian", "dorian"),
        progressions=((0, 3, 4, 3), (0, 6, 3, 0), (0, 4, 5, 3), (5, 3, 0, 4), (0, 0, 3, 4)),
        grooves=(
            {KICK: "X.......X.x.....", SNARE: "....X.......X...", HAT: "x.x.x.x.x.x.x.x."},
            {KICK: "X..x....X.x...x.", SNARE: "....X.......X..o", HAT: "X.x.X.x.X.x.X.x."},
            {KICK: "X.....x.X.......", SNARE: "....X.......X...", RIDE: "x...x...x...x..."},
            {KICK: "X.x...x.X.x...x.", SNARE: "....X..o.o..X...", OPEN: "x...x...x...x..."},
        ),
        basses=("1.1.1.1.1.1.1.1.", "1-----1-1---5-a-", "1-1-..1-1-5-8-a-", "1---1---1---1-5-"),
        compings=("x-x-x-x-x-x-x-x-", "x-------x-----x-", "x---..x-x---..x-", "s.s.x-s.s.s.x-s."),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Standard Kit", "Power Kit", "Room Kit")),
            Seat(Role.BASS, 1.0, ("Electric Bass (finger)", "Electric Bass (pick)")),
            Seat(Role.CHORDS, 1.0, ("Distortion Guitar", "Overdriven Guitar", "Electric Guitar (clean)")),
            Seat(Role.ARPEGGIO, 0.4, ("Electric Guitar (clean)", "Electric Guitar (muted)")),
            Seat(Role.PAD, 0.4, ("Rock Organ", "Drawbar Organ", *_STRINGS)),
            Seat(Role.MELODY, 0.7, ("Overdriven Guitar", "Distortion Guitar", "Rock Organ", "Charang Lead")),
            *_voices(0.85, 0.4),
        ),
    ),
    "pop": Style(
        tempo=(90, 130),
        modes=("major", "major", "minor", "dorian"),
        progressions=((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 4, 2, 5), (0, 2, 3, 4)),
        grooves=(
            {KICK: "X.....x.x.......", SNARE: "....X.......X...", HAT: "x.x.x.x.x.x.x.x."},
            {KICK: "X...X...X...X...", CLAP: "....X.......X...", HAT: "..x...x...x...x."},
            {
                KICK: "X..x..x...x.....",
                SNARE: "....X.......X...",
                HAT: "xoxoxoxoxoxoxoxo",
                TAMBOURINE: "....x.......x...",
            },
        ),
        basses=("1-----1-5-----1-", "1---1---1---1---", "1--1--1-1---8-a-", "1-------5-----a-"),
        compings=("x---x---x---x---", "x--x--x-x--x--x-", "x-------x-------", "..x-..x-..x-..x-"),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Standard Kit", "Electronic Kit", "Room Kit", "Analog Kit")),
            Seat(Role.PERCUSSION, 0.4, _HAND_PERCUSSION),
            Seat(Role.BASS, 1.0, ("Electric Bass (finger)", "Synth Bass 1", "Synth Bass 2")),
            Seat(Role.CHORDS, 1.0, (*_PIANOS, "Acoustic Guitar (steel)", "Electric Piano 1")),
            Seat(Role.ARPEGGIO, 0.5, ("Electric Guitar (clean)", "Celesta", "Kalimba", "Square Lead")),
            Seat(Role.PAD, 0.6, (*_PADS, *_STRINGS)),
            Seat(Role.MELODY, 0.5, ("Saw Lead", "Flute", "Violin", "Glockenspiel", "Synth Brass 1")),
            *_voices(0.95, 0.6),
        ),
    ),
    "funk": Style(
        tempo=(90, 118),
        modes=("dorian", "mixolydian", "minor"),
        progressions=((0, 0, 3, 3), (0, 0, 0, 0), (0, 3, 0, 4), (1, 4, 1, 4)),
        grooves=(
            {KICK: "X..x..x...x..x..", SNARE: "....X..o.o..X..o", HAT: "xoxoxoxoxoxoxoxo"},
            {KICK: "X.x.......x..x..", SNARE: "....X..o.o.oX...", HAT: "x.x.x.x.x.x.x...", OPEN: "..............x."},
        ),
        basses=("1..1.8.1..7.5.a.", "1.1...8.7.5..1.a", "1..8..1.7..5.3.a", "1-.1..1.5-7-8.a."),
        compings=("..s.s...s.s..s..", "....s..s....s.s.", "s..s..s...s.s...", "..x-..s.....x-s."),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Standard Kit", "Room Kit", "Power Kit")),
            Seat(Role.PERCUSSION, 0.6, _HAND_PERCUSSION),
            Seat(Role.BASS, 1.0, ("Slap Bass 1", "Electric Bass (finger)", "Synth Bass 1")),
            Seat(Role.CHORDS, 1.0, ("Clavinet", "Electric Guitar (clean)", "Electric Guitar (muted)")),
            Seat(Role.PAD, 0.5, ("Drawbar Organ", "Electric Piano 2", "Rock Organ")),
            Seat(Role.ARPEGGIO, 0.4, ("Electric Guitar (muted)", "Clavinet")),
            Seat(Role.MELODY, 0.8, ("Brass Section", "Trumpet", "Alto Sax", "Tenor Sax", "Trombone")),
            *_voices(0.8, 0.5),
        ),
        swing=0.12,
        sevenths=0.7,
    ),
    "house": Style(
        tempo=(118, 132),
        modes=("minor", "dorian", "minor", "major"),
        progressions=((0, 5, 2, 6), (0, 3, 5, 4), (5, 6, 0, 0), (0, 0, 5, 6)),
        grooves=(
            {KICK: "X...X...X...X...", CLAP: "....X.......X...", OPEN: "..x...x...x...x.", HAT: "xoxoxoxoxoxoxoxo"},
            {KICK: "X...X...X...X..x", SNARE: "....X.......X...", OPEN: "..X...X...X...X.", SHAKER: "xxxxxxxxxxxxxxxx"},
            {KICK: "X...X...X...X...", RIM: "...x..x....x..x.", HAT: "..x...x...x...x."},
        ),
        basses=("..1...1...1...1.", ".11..11..11..18.", "1..1..1...8.1...", "1.8.1.8.1.8.1.8."),
        compings=("x-.x-.x-..x-.x-.", "..s...s...s...s.", "s..s..s.s..s..s.", "x---------------"),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Electronic Kit", "Analog Kit")),
            Seat(Role.PERCUSSION, 0.4, ("Analog Kit", "Electronic Kit")),
            Seat(Role.BASS, 1.0, ("Synth Bass 1", "Synth Bass 2")),
            Seat(Role.CHORDS, 0.9, ("Electric Piano 1", "Saw Lead", "Polysynth Pad", "Acoustic Grand Piano")),
            Seat(Role.ARPEGGIO, 0.8, ("Square Lead", "Saw Lead", "Crystal Effect")),
            Seat(Role.PAD, 0.8, _PADS),
            Seat(Role.MELODY, 0.6, ("Saw Lead", "Square Lead", "Charang Lead")),
            *_voices(0.6, 0.2),
        ),
        arpeggios=("0120120120120120", "0210321002103210", "0.1.2.3.2.1.0.2."),
        looseness=0.001,
        sevenths=0.4,
    ),
    "ballad": Style(
        tempo=(58, 82),
        modes=("major", "major", "minor"),
        progressions=((0, 4, 5, 2, 3, 0, 3, 4), (0, 5, 3, 4), (0, 2, 3, 3), (5, 3, 0, 4)),
        grooves=(
            {KICK: "X.......x.x.....", SNARE: "....x.......x...", HAT: "x.x.x.x.x.x.x.x."},
            {KICK: "X......xx.......", RIM: "....x.......x...", RIDE: "x.x.x.x.x.x.x.x."},
            {KICK: "x.....x.....", SNARE: "......x.....", HAT: "x.x.x.x.x.x."},
        ),
        basses=("1-------5-------", "1-----1-5---a---", "1---------------"),
        compings=("x-------x-------", "x---x---x---x---", "x---------------"),
        seats=(
            Seat(Role.DRUMS, 0.85, ("Standard Kit", "Room Kit", "Brush Kit")),
            Seat(Role.BASS, 1.0, ("Fretless Bass", "Electric Bass (finger)", "Acoustic Bass")),
            Seat(Role.CHORDS, 1.0, (*_PIANOS, "Electric Piano 1", "Acoustic Guitar (nylon)")),
            Seat(Role.ARPEGGIO, 0.6, ("Acoustic Guitar (steel)", "Orchestral Harp", "Electric Guitar (clean)")),
            Seat(Role.PAD, 0.9, (*_STRINGS, "Warm Pad")),
            Seat(Role.MELODY, 0.6, ("Violin", "Cello", "Oboe", "Soprano Sax", "Overdriven Guitar", "Flute")),
            *_voices(0.95, 0.5),
        ),
        looseness=0.014,
        sevenths=0.3,
    ),
    "swing": Style(
        tempo=(110, 210),
        modes=("major", "dorian", "mixolydian"),
        progressions=((1, 4, 0, 0), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4)),
        grooves=(
            {RIDE: "X..x.xX..x.x", PEDAL: "...x.....x..", KICK: "x.....o.....", SNARE: ".....o.....o"},
            {RIDE: "x..X.xx..X.x", PEDAL: "...x.....x..", SNARE: "..o.....x...", KICK: "o..o..o..o.."},
        ),
        basses=("1wwa", "15wa", "1w5a", "1w3a"),
        compings=("..s.....s...", "s....s......", ".....x-.....", "x----s......"),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Jazz Kit", "Brush Kit")),
            Seat(Role.BASS, 1.0, ("Acoustic Bass", "Acoustic Bass", "Fretless Bass")),
            Seat(Role.CHORDS, 1.0, ("Acoustic Grand Piano", "Electric Guitar (jazz)", "Electric Piano 2")),
            Seat(Role.PAD, 0.3, ("Drawbar Organ", "String Ensemble 1")),
            Seat(
                Role.MELODY,
                0.9,
                ("Tenor Sax", "Alto Sax", "Trumpet", "Muted Trumpet", "Trombone", "Clarinet", "Vibraphone"),
            ),
            *_voices(0.6, 0.1),
        ),
        sevenths=1.0,
        looseness=0.012,
    ),
    "reggae": Style(
        tempo=(66, 92),
        modes=("major", "minor", "dorian"),
        progressions=((0, 3, 0, 4), (0, 4, 5, 3), (0, 1, 0, 1), (0, 5, 3, 4)),
        grooves=(
            {KICK: "........X.......", RIM: "........X.......", HAT: "x.x.x.x.x.x.x.x."},
            {KICK: "X.......X.......", SNARE: "........X.....o.", HAT: "x.xox.xox.xox.xo"},
            {KICK: "X...X...X...X...", RIM: "........X..x....", HAT: "..x...x...x...x."},
        ),
        basses=("1...1.3.5.....1.", "..1.1.5.3...1...", "1-1-..5-..8-5-..", "1-..3-5-..1-..a."),
        compings=("....s.......s...", "....ss......ss..", "..s...s...s...s."),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Standard Kit", "Room Kit")),
            Seat(Role.PERCUSSION, 0.5, _HAND_PERCUSSION),
            Seat(Role.BASS, 1.0, ("Electric Bass (finger)", "Synth Bass 1", "Fretless Bass")),
            Seat(Role.CHORDS, 1.0, ("Electric Guitar (muted)", "Electric Guitar (clean)", "Acoustic Grand Piano")),
            Seat(Role.ARPEGGIO, 0.7, ("Drawbar Organ", "Clavinet")),
            Seat(Role.MELODY, 0.7, ("Trombone", "Tenor Sax", "Trumpet", "Steel Drums", "Accordion")),
            *_voices(0.85, 0.5),
        ),
        arpeggios=("..0...1...0...1.", "..01..01..01..01"),
        swing=0.2,
    ),
    "orchestral": Style(
        tempo=(66, 132),
        modes=("minor", "major", "harmonic minor", "phrygian"),
        progressions=((0, 5, 2, 6), (0, 3, 4, 0), (0, 5, 3, 4), (0, 1, 0, 4), (0, 2, 5, 4)),
        grooves=(
            {KICK: "X.......x.....x.", LOW_TOM: "....x.......x.xx"},
            {LOW_TOM: "X..x..x.X..x..x.", CRASH: "X..............."},
            {SNARE: "X.ooX.ooX.ooXxxx", KICK: "X.......X......."},
        ),
        basses=("1---------------", "1-------5-------", "1-1-1-1-1-1-1-1-"),
        compings=("x---------------", "x-------x-------", "s.ssx---s.ssx---", "s.s.s.s.s.s.s.s."),
        seats=(
            Seat(Role.DRUMS, 0.7, ("Orchestra Kit",)),
            Seat(Role.BASS, 0.8, ("Acoustic Bass",)),
            Seat(Role.CHORDS, 1.0, (*_STRINGS[:2], "Pizzicato Strings", "Church Organ")),
            Seat(Role.ARPEGGIO, 0.8, ("Orchestral Harp", "Celesta", "Pizzicato Strings", "Marimba", "Harpsichord")),
            Seat(Role.PAD, 0.9, ("French Horn", *_STRINGS[:2], "Brass Section")),
            Seat(Role.MELODY, 1.0, ("Violin", "Oboe", "Flute", "Clarinet", "Trumpet", "Cello")),
            Seat(Role.MELODY, 0.5, ("French Horn", "Cello", "Glockenspiel", "Flute")),
            *_voices(0.4, 0.4),
        ),
        looseness=0.016,
    ),
    "hip hop": Style(
        tempo=(72, 100),
        modes=("minor", "dorian", "phrygian"),
        progressions=((0, 0, 5, 4), (0, 3, 0, 4), (0, 5, 0, 6), (0, 0, 0, 0)),
        grooves=(
            {KICK: "X..x..x...x.....", SNARE: "....X.......X...", HAT: "x.x.x.x.x.x.x.x."},
            {KICK: "X.....x..x......", CLAP: "....X.......X...", HAT: "x.xxx.x.x.x.xxxx"},
            {KICK: "X.........x..x..", SNARE: "........X.......", HAT: "xxxxxxxxxxxxxxxx", COWBELL: "......x........."},
        ),
        basses=("1-----1---1-----", "1---------5---a-", "1--1------8-----"),
        compings=("x-------..x-....", "s...s.....s.....", "x---------------"),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Analog Kit", "Electronic Kit", "Power Kit")),
            Seat(Role.BASS, 1.0, ("Synth Bass 1", "Synth Bass 2", "Electric Bass (finger)")),
            Seat(Role.CHORDS, 0.9, ("Electric Piano 1", "Acoustic Grand Piano", "Electric Guitar (jazz)", "Sitar")),
            Seat(Role.ARPEGGIO, 0.5, ("Kalimba", "Vibraphone", "Crystal Effect", "Orchestral Harp")),
            Seat(Role.PAD, 0.5, (*_STRINGS, "Sweep Pad")),
            Seat(Role.MELODY, 0.5, ("Flute", "Muted Trumpet", "Square Lead", "Pan Flute")),
            *_voices(0.8, 0.4),
        ),
        swing=0.22,
        sevenths=0.6,
        looseness=0.01,
    ),
    "bossa nova": Style(
        tempo=(110, 150),
        modes=("major", "minor", "dorian"),
        progressions=((0, 0, 1, 4), (1, 4, 0, 5), (0, 3, 2, 5, 1, 4, 0, 0)),
        grooves=(
            {KICK: "X..xX..xX..xX..x", RIM: "x..x..x...x..x..", HAT: "x.x.x.x.x.x.x.x."},
            {KICK: "X..xX..xX..xX..x", CLAVES: "x..x..x...x..x..", SHAKER: "Xxxxxxxxxxxxxxxx"},
        ),
        basses=("1-----5-5-----1-", "1-----5-5-----a-", "1--1----5--5----"),
        compings=("x-.x-.x-..x-.x-.", "s..s..x-..s.x-..", "x--x--s...x--s.."),
        seats=(
            Seat(Role.DRUMS, 0.9, ("Brush Kit", "Jazz Kit", "Standard Kit")),
            Seat(Role.PERCUSSION, 0.6, _HAND_PERCUSSION),
            Seat(Role.BASS, 1.0, ("Acoustic Bass", "Fretless Bass", "Electric Bass (finger)")),
            Seat(Role.CHORDS, 1.0, ("Acoustic Guitar (nylon)", "Electric Piano 2", "Electric Guitar (jazz)")),
            Seat(Role.PAD, 0.4, ("String Ensemble 2", "Warm Pad")),
            Seat(Role.MELODY, 0.8, ("Flute", "Tenor Sax", "Vibraphone", "Marimba", "Accordion")),
            *_voices(0.7, 0.2),
        ),
        sevenths=0.9,
        looseness=0.012,
    ),
    "folk": Style(
        tempo=(86, 140),
        modes=("major", "mixolydian", "dorian"),
        progressions=((0, 3, 0, 4), (0, 4, 5, 3), (0, 6, 3, 0), (0, 0, 3, 4)),
        grooves=(
            {KICK: "X.....x.....", SNARE: "....x...x...", SHAKER: "x.x.x.x.x.x."},
            {KICK: "X...........", RIM: "....x...x...", TAMBOURINE: "x...x...x..."},
        ),
        basses=("1---5---5---", "1-----------", "1---3---5---"),
        compings=("x-s.s.", "x-x-x-", "x-xsxs"),
        seats=(
            Seat(Role.DRUMS, 0.6, ("Brush Kit", "Standard Kit")),
            Seat(Role.BASS, 1.0, ("Acoustic Bass", "Electric Bass (finger)")),
            Seat(Role.CHORDS, 1.0, ("Acoustic Guitar (steel)", "Acoustic Guitar (nylon)", "Accordion")),
            Seat(Role.ARPEGGIO, 0.8, ("Banjo", "Acoustic Guitar (steel)", "Orchestral Harp", "Harpsichord")),
            Seat(Role.PAD, 0.3, ("String Ensemble 1", "Accordion")),
            Seat(Role.MELODY, 0.8, ("Violin", "Flute", "Accordion", "Oboe", "Pan Flute")),
            *_voices(0.85, 0.4),
        ),
        arpeggios=("012121", "021212"),
        beats=3,
        looseness=0.014,
    ),
    "metal": Style(
        tempo=(120, 190),
        modes=("phrygian", "minor", "harmonic minor"),
        progressions=((0, 1, 0, 6), (0, 5, 6, 0), (0, 0, 1, 3), (0, 2, 1, 0)),
        grooves=(
            {KICK: "XxxxXxxxXxxxXxxx", SNARE: "....X.......X...", CRASH: "x...x...x...x..."},
            {KICK: "X.x.X.x.X.x.X.x.", SNARE: "..X...X...X...X.", RIDE: "x.x.x.x.x.x.x.x."},
            {KICK: "X..x..x.X..x..x.", SNARE: "........X.......", OPEN: "x...x...x...x..."},
        ),
        basses=("1111111111111111", "1.11..1.1.11..a.", "1-..1-..1-..5-a-"),
        compings=("ssssssssssssssss", "s.ss..s.s.ssx---", "x-------x---s.s."),
        seats=(
            Seat(Role.DRUMS, 1.0, ("Power Kit", "Standard Kit")),
            Seat(Role.BASS, 1.0, ("Electric Bass (pick)", "Electric Bass (finger)")),
            Seat(Role.CHORDS, 1.0, ("Distortion Guitar",)),
            Seat(Role.CHORDS, 0.5, ("Overdriven Guitar", "Distortion Guitar")),
            Seat(Role.PAD, 0.3, (*_STRINGS, "Church Organ")),
            Seat(Role.MELODY, 0.8, ("Overdriven Guitar", "Distortion Guitar", "Saw Lead")),
            *_voices(0.6, 0.2),
        ),
        looseness=0.005,
    ),
}
"""Every style by its name."""
