"""The 128 programs of General MIDI by name, and the classes of eight that Slakh2100 puts them in.

Source: General MIDI System Level 1 (MIDI Manufacturers Association, 1991); names as Slakh2100 writes them.
"""

from __future__ import annotations

import re

_NAMES = """
Piano: Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, Electric Piano 1,
 Electric Piano 2, Harpsichord, Clavinet
Chromatic Percussion: Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer
Organ: Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion, Harmonica, Tango Accordion
Guitar: Acoustic Guitar (nylon), Acoustic Guitar (steel), Electric Guitar (jazz), Electric Guitar (clean),
 Electric Guitar (muted), Overdriven Guitar, Distortion Guitar, Guitar Harmonics
Bass: Acoustic Bass, Electric Bass (finger), Electric Bass (pick), Fretless Bass, Slap Bass 1, Slap Bass 2,
 Synth Bass 1, Synth Bass 2
Strings: Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani
Strings (continued): String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs,
 Synth Choir, Orchestra Hit
Brass: Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2
Reed: Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet
Pipe: Piccolo, Flute, Recorder, Pan Flute, Blown bottle, Shakuhachi, Whistle, Ocarina
Synth Lead: Lead 1 (square), Lead 2 (sawtooth), Lead 3 (calliope), Lead 4 (chiff), Lead 5 (charang), Lead 6 (voice),
 Lead 7 (fifths), Lead 8 (bass + lead)
Synth Pad: Pad 1 (new age), Pad 2 (warm), Pad 3 (polysynth), Pad 4 (choir), Pad 5 (bowed), Pad 6 (metallic),
 Pad 7 (halo), Pad 8 (sweep)
Synth Effects: FX 1 (rain), FX 2 (soundtrack), FX 3 (crystal), FX 4 (atmosphere), FX 5 (brightness), FX 6 (goblins),
 FX 7 (echoes), FX 8 (sci-fi)
Ethnic: Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai
Percussive: Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal
Sound Effects: Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot
"""

_CLASSES = {
    name: tuple(re.split(r",\s+", programs))
    for name, programs in (line.split(": ") for line in _NAMES.strip().replace("\n ", " ").splitlines())
}
INST_CLASSES = (*_CLASSES, "Drums")
"""What Slakh2100 writes as ``inst_class``: sixteen classes of eight programs in their order, and drums."""

PROGRAMS = tuple(name for programs in _CLASSES.values() for name in programs)
"""Names of the programs, counted from 0."""

_NUMBER_OF = {" ".join(re.findall(r"[a-z0-9]+", name.lower())): number for number, name in enumerate(PROGRAMS)}


def program_number(name: str) -> int | None:
    """Return the number of a program, 0 to 127, or None if there is none of that name.

    Args:
        name: case and punctuation do not matter.

    Example:
        >>> program_number("Electric Guitar (clean)"), program_number("kazoo"), len(PROGRAMS)
        (27, None, 128)
    """
    return _NUMBER_OF.get(" ".join(re.findall(r"[a-z0-9]+", name.lower())))
