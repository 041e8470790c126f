"""What the labels of all public datasets mean: one table, five vocabularies.

A label means a `Sound`, and a sound has a name in the prompts of TUSS, the four stems of LaSAFT, the 18 classes of
few-shot separation, the ten groups of GuideSep and the classes of Slakh2100; or none, where the vocabulary has no word
for it. Labels that a table does not list, and those of folders, are understood as free text
(`unbraid.datasets.taxonomy`).

Two datasets decide for themselves. In MoisesDB the stem that a track belongs to gives prompt and four: TUSS calls
everything ``other`` that is not in the stems bass, drums and vocals, percussion too. In Slakh2100 the class gives the
group, and the program of General MIDI the instrument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.programs import INST_CLASSES, program_number
from unbraid.datasets.public.speech_preparation import PROMPTS as SPEECH_PROMPTS
from unbraid.datasets.public.speech_preparation import fsd50k_prompt
from unbraid.datasets.taxonomy import class_of, class_of_program, prompt_of
from unbraid.errors import DatasetError

FOUR = ("vocals", "drums", "bass", "other")
GROUPS = ("Piano", "Guitar", "Bass", "Strings", "Brass", "Synth", "Pipe", "Reed", "Organ", "Chromatic Percussion")
"""The ten groups of GuideSep, in the order of its table 1; drums are none."""


@dataclass(frozen=True)
class Sound:
    """What a label means, in five vocabularies; "" where one has no word for it.

    Args:
        prompt: of TUSS, such as ``other``.
        four: the stem of LaSAFT and MUSDB18: vocals, drums, bass or other.
        instrument: one of the 18 classes of few-shot separation.
        group: one of the ten groups of GuideSep.
        slakh_class: the ``inst_class`` of Slakh2100.
    """

    prompt: str = ""
    four: str = ""
    instrument: str = ""
    group: str = ""
    slakh_class: str = ""


def _other(instrument: str = "", slakh_class: str = "", group: str | None = None) -> Sound:
    return Sound("other", "other", instrument, group_of_class(slakh_class) if group is None else group, slakh_class)


def group_of_class(slakh_class: str) -> str:
    """Return the group of GuideSep that a class of Slakh2100 is in: the one whose name is part of it; "" for none.

    Example:
        >>> [group_of_class(name) for name in ("Strings (continued)", "Synth Pad", "Drums", "Synth Effects")]
        ['Strings', 'Synth', '', '']
    """
    if slakh_class in ("Synth Lead", "Synth Pad"):
        return "Synth"
    return next((group for group in GROUPS if group != "Synth" and group in slakh_class), "")


_VOCABULARIES = tuple(field.name for field in fields(Sound))
SOUNDS: Mapping[str, Sound] = {
    "vocals": Sound("vocals", "vocals", "vocals"),
    "drums": Sound("drums", "drums", "drums", "", "Drums"),
    "percussion": Sound("drums", "drums", "percussion", "", "Percussive"),
    "timpani": Sound("drums", "drums", "percussion", "", "Strings"),
    "bass": Sound("bass", "bass", "bass", "Bass", "Bass"),
    "other": Sound("other", "other"),
    "acoustic guitar": _other("acoustic guitar", "Guitar"),
    "electric guitar": _other("electric guitar", "Guitar"),
    "plucked": _other("acoustic guitar", "Ethnic"),
    "harp": _other("strings", "Strings"),
    "piano": _other("piano", "Piano"),
    "electric piano": _other("keyboards", "Piano"),
    "organ": _other("organ", "Organ"),
    "pipe organ": _other("pipe organ", "Organ"),
    "accordion": _other("accordion", "Organ"),
    "strings": _other("strings", "Strings"),
    "string section": _other("strings", "Strings (continued)"),
    "brass": _other("brass", "Brass"),
    "flute": _other("woodwinds", "Pipe"),
    "whistle": _other("whistling", "Pipe"),
    "reed": _other("woodwinds", "Reed"),
    "wind": _other("woodwinds"),
    "bagpipes": _other("bagpipes", "Ethnic"),
    "mallets": _other("mallets", "Chromatic Percussion"),
    "synthesizer": _other("synthesizer", "Synth Lead"),
    "synth pad": _other("synthesizer", "Synth Pad"),
    "processed": _other("", "Sound Effects"),
    "speech": Sound("speech", "vocals"),
    "crowd": Sound("sfx-mix", "other"),
    "music": Sound("music-mix"),
    "unclear": Sound(),
}
"""Sounds by names of our own."""

_MEDLEYDB: Mapping[str, str] = {
    "vocals": "male singer, female singer, male rapper, female rapper, male screamer, female screamer, beatboxing, "
    "vocalists, choir",
    "speech": "male speaker, female speaker",
    "crowd": "crowd",
    "drums": "drum set, drum machine, kick drum, bass drum, snare drum, toms, high hat, cymbal",
    "percussion": "auxiliary percussion, bongo, conga, tambourine, darbuka, doumbek, tabla, triangle, sleigh bells, "
    "cowbell, cabasa, gong, guiro, gu, chimes, castanet, claps, snaps, rattle, shaker, maracas, clave",
    "timpani": "timpani",
    "bass": "electric bass, double bass",
    "acoustic guitar": "acoustic guitar",
    "electric guitar": "clean electric guitar, distorted electric guitar, lap steel guitar, slide guitar",
    "plucked": "banjo, guzheng, liuqin, mandolin, oud, sitar, ukulele, zhongruan",
    "harp": "harp",
    "piano": "piano, tack piano",
    "electric piano": "electric piano, harpsichord",
    "organ": "electronic organ, harmonium",
    "pipe organ": "pipe organ",
    "accordion": "accordion, bandoneon, concertina, harmonica, melodica",
    "strings": "erhu, violin, viola, cello",
    "string section": "violin section, viola section, cello section, string section",
    "brass": "trumpet, cornet, trombone, french horn, euphonium, tuba, brass section, french horn section, "
    "horn section, trombone section, trumpet section",
    "flute": "dizi, flute, flute section, piccolo, bamboo flute, panpipes, recorder",
    "whistle": "whistle",
    "reed": "alto saxophone, baritone saxophone, soprano saxophone, tenor saxophone, clarinet, clarinet section, "
    "bass clarinet, oboe, english horn, bassoon",
    "bagpipes": "bagpipe",
    "mallets": "xylophone, vibraphone, marimba, glockenspiel, dulcimer, yangqin",
    "synthesizer": "synthesizer, theremin",
    "processed": "fx/processed sound, scratches, sampler",
    "unclear": "Main System, Unlabeled",
}

_MOISES_STEMS: Mapping[str, str] = {
    "vocals": "vocals",
    "bass": "bass",
    "drums": "drums",
    "guitar": "electric guitar",
    "piano": "piano",
    "bowed_strings": "strings",
    "wind": "wind",
    "percussion": "percussion",
    "other_keys": "other",
    "other_plucked": "plucked",
    "other": "other",
}
"""What a stem of MoisesDB means where what its track holds is not known."""

_MOISES_KINDS: Mapping[str, str] = {  # the first words that a kind has, as they are tried
    "bass guitar": "bass",
    "bass synthesizer": "bass",
    "contrabass": "bass",
    "tuba": "brass",
    "bassoon": "reed",
    "section": "string section",
    "a tonal percussion": "percussion",
    "pitched percussion": "mallets",
    "acoustic guitar": "acoustic guitar",
    "electric guitar": "electric guitar",
    "steel guitar": "electric guitar",
    "electric piano": "electric piano",
    "grand piano": "piano",
    "electric organ": "organ",
    "synth pad": "synth pad",
    "synth lead": "synthesizer",
    "banjo": "plucked",
    "flutes": "flute",
    "reeds": "reed",
    "brass": "brass",
    "other sounds": "electric piano",
    "fx": "processed",
    "click": "unclear",
}

_MUSDB = {name: name for name in FOUR}
_FMA = {"music": "music"}
_MEDLEY_LABELS = {label: sound for sound, labels in _MEDLEYDB.items() for label in labels.split(", ")}
_PLAIN: Mapping[str, Mapping[str, str]] = {
    **{"musdb18": _MUSDB, "musdb18-hq": _MUSDB, "fma-small": _FMA, "fma-medium": _FMA},
    **{"humtrans": {"humming": "vocals"}, "medleydb": _MEDLEY_LABELS, "medleydb2": _MEDLEY_LABELS},
}
"""The sounds of labels that need no thought, by dataset."""


def meaning(track: Track, stem: Stem) -> Sound:
    """Return what a stem is in all vocabularies; see `sound_of`.

    Example:
        >>> meaning(Track("a", "medleydb", "all", ()), Stem("S01", "clean electric guitar", ())).instrument
        'electric guitar'
    """
    if track.dataset == "fsd50k":
        return Sound(fsd50k_prompt(track) or "")
    return sound_of(track.dataset, stem.label)


def sound_of(dataset: str, label: str) -> Sound:
    """Return what a label of a dataset means in all vocabularies.

    A stem of several instruments (labels with commas between them) has what they have in common.

    Args:
        dataset: name of the dataset.
        label: what it calls the sound.

    Raises:
        DatasetError: if nobody knows.

    Example:
        >>> sound_of("moisesdb", "percussion/pitched percussion (mallets, glockenspiel, etc)").prompt
        'other'
        >>> sound_of("slakh2100", "Guitar/Electric Guitar (jazz)").instrument
        'electric guitar'
    """
    if dataset.startswith("slakh2100"):
        return _slakh_sound(label)
    if dataset == "moisesdb":
        return _moises_sound(label)
    if dataset in SPEECH_PROMPTS:
        return _speech_sound(dataset, label)
    table = _PLAIN.get(dataset, {})
    if label in table:
        return SOUNDS[table[label]]
    parts = [part.strip() for part in label.split(",")] if table else [label]
    return _common([SOUNDS[table[part]] if part in table else _free_text(dataset, part) for part in parts])


def _speech_sound(dataset: str, label: str) -> Sound:
    prompt = SPEECH_PROMPTS[dataset].get(label)
    if prompt is None:
        raise DatasetError(f"{dataset}: it is not clear what the label {label!r} means: index the dataset again")
    return Sound(prompt)


def _slakh_sound(label: str) -> Sound:
    """Return what ``class/program`` means: the class gives the group, the program the instrument."""
    given, _, program = label.partition("/")
    slakh_class = next((name for name in INST_CLASSES if name.lower() == given.lower()), "")
    if not slakh_class:
        return _free_text("slakh2100", label)
    if slakh_class == "Drums":
        return SOUNDS["drums"]
    number = program_number(program)
    instrument = class_of(slakh_class) if number is None else class_of_program(number)
    if slakh_class in ("Sound Effects", "Synth Effects"):
        instrument = None
    prompt = "drums" if instrument == "percussion" else "bass" if slakh_class == "Bass" else "other"
    return Sound(prompt, prompt, instrument or "", group_of_class(slakh_class), slakh_class)


def _moises_sound(label: str) -> Sound:
    """Return what ``stem/kind`` means: the stem gives the prompt, the kind the instrument."""
    stem, _, kind = label.partition("/")
    if stem not in _MOISES_STEMS:
        return _free_text("moisesdb", label)
    words = f" {_words(kind)} "
    sound = SOUNDS[_MOISES_STEMS[stem]]
    if stem not in ("vocals", "drums"):
        found = next((name for first, name in _MOISES_KINDS.items() if f" {first} " in words), None)
        sound = SOUNDS[found] if found else sound
    prompt = stem if stem in ("vocals", "bass", "drums") else "other"
    return replace(sound, prompt=prompt, four=prompt) if sound != SOUNDS["unclear"] else sound


def _free_text(dataset: str, label: str) -> Sound:
    prompt, instrument = prompt_of(label), class_of(label)
    if prompt is None and instrument is None:
        raise DatasetError(f"{dataset}: it is not clear what the label {label!r} means: name it for what it is")
    alike = _common([sound for sound in SOUNDS.values() if instrument and sound.instrument == instrument])
    prompt = prompt or alike.prompt
    return replace(alike, prompt=prompt, four=prompt if prompt in FOUR else "")


def _common(sounds: list[Sound]) -> Sound:
    """Return what sounds have in common; nothing, where there is none."""
    common = {name: {str(getattr(sound, name)) for sound in sounds} for name in _VOCABULARIES}
    return Sound(**{name: values.pop() for name, values in common.items() if len(values) == 1})


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
