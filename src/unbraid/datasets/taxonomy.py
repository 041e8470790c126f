"""From the names that people give to stems ("lead vox", "kick", "Electric Guitar (jazz)") to the eight prompts."""

from __future__ import annotations

import re

from unbraid.guides.vocabulary import INSTRUMENT_CLASSES

PROMPTS = ("speech", "sfx", "sfx-mix", "drums", "bass", "vocals", "other", "music-mix")

# Whole names or runs of words that mean something else than their words do.
_PHRASES: dict[str, tuple[str, ...]] = {
    "sfx-mix": ("sfx mix", "sfx bg", "background noise", "room tone", "background sounds"),
    "music-mix": ("music mix", "music bg", "background music", "full mix"),
    "drums": (
        "bass drum",
        "drum and bass",
        "drum n bass",
        "synth drum",
        "taiko drum",
        "melodic tom",
        "reverse cymbal",
        "hi hat",
        "high hat",
        "wood block",
        "body percussion",
        "guitar percussion",
    ),
    "bass": ("synth bass", "bass synth", "slap bass", "bass guitar", "double bass", "upright bass", "lead bass"),
    "vocals": ("vocal synth", "synth vocals", "beat box"),
    "other": (
        "bass clarinet",
        "bass flute",
        "bass trombone",
        "bass drone synth",
        "bass and lead",
        "chromatic percussion",
        "pitched percussion",
        "tuned percussion",
        "steel drum",
        "steel drums",
        "synth choir",
        "synth voice",
        "fx guitar",
        "guitar fx",
        "guitar fret noise",
        "slap guitar",
        "scratch guitar",
        "music box",
    ),
    "speech": ("voice over", "spoken word", "male voice", "female voice"),
    "sfx": ("sound effects", "sound effect"),
}

# Single words, tried in this order of prompts: a "bass guitar" is a bass, a "drum synth" are drums.
_WORDS: dict[str, str] = {
    "drums": """
        drum drums drumkit drumset kit kick kicks bd snare snares sn hat hats hihat hihats hh tom toms cymbal
        cymbals crash ride splash china percussion perc percussive percs cajon conga congas bongo bongos shaker
        shakers tambourine tamb clap claps handclap snap snaps stomp stomps cowbell clave claves timbale timbales
        djembe tabla taiko timpani woodblock maraca maracas cabasa guiro agogo beat beats breakbeat break breaks
        overhead overheads oh rimshot rim batteria batterie schlagzeug bateria mridangam bendir
    """,
    "vocals": """
        vocal vocals vox voc vocs leadvox bgvox bgv bvox bv bvs singer singing sung voice voices choir choirs chorus
        acapella acappella rap rapper soprano alto tenor baritone harmony harmonies adlib adlibs gesang voix voz
    """,
    "bass": "bass basses basse baixo bajo subbass sub contrabass bassline bassgtr ebass",
    "other": """
        other others guitar guitars gtr gtrs gt guit guitarra gitarre acgtr elgtr egtr agtr banjo mandolin ukulele
        uke harp lute sitar koto shamisen zither dulcimer piano pianos pno grand upright keys key keyboard keyboards
        rhodes wurlitzer wurli clav clavinet harpsichord celesta epiano ep organ hammond accordion harmonica
        melodica bandoneon synth synths synthesizer synthesiser pad pads arp arpeggio arpeggios pluck plucks lead
        leads strings string violin violins viola violas cello cellos fiddle ensemble orchestral brass horn horns
        trumpet trumpets trombone trombones tuba cornet flugelhorn sax saxes saxophone saxophones altosax tenorsax
        reed clarinet oboe bassoon flute flutes recorder piccolo pipe panpipe ocarina whistle shanai bagpipe wind
        winds woodwind woodwinds bell bells glockenspiel glock vibraphone vibes marimba xylophone kalimba ethnic
        chords chord melody instrumental sequence theremin sampler samples
    """,
    "speech": "speech dialog dialogue dialogues dx talk talking narration narrator voiceover vo speaker speakers",
    "sfx-mix": """
        sfxbg sfxmix noise noises ambience ambiences ambient ambiance atmosphere atmos atmo background bg
        environment environmental soundscape backgrounds
    """,
    "sfx": "sfx fx effect effects foley event events impact impacts hit hits",
    "music-mix": "music musicbg musicmix mixture mix master soundtrack score mx fullmix backing accompaniment",
}

_PROMPT_OF_PHRASE = {phrase: prompt for prompt, phrases in _PHRASES.items() for phrase in phrases}
_PROMPT_OF_WORD = {word: prompt for prompt, words in reversed(_WORDS.items()) for word in words.split()}
_RANK = {prompt: rank for rank, prompt in enumerate(_WORDS)}


def prompt_of(label: str) -> str | None:
    """Return the prompt that a label or file name stands for, or None if that is not clear.

    The published names ``sfxbg`` and ``musicbg``, and the instrument classes of Slakh2100, are understood.

    Args:
        label: free text; case, digits and punctuation do not matter.

    Example:
        >>> [prompt_of(label) for label in ("Lead Vox 2", "kick_in", "E-Piano", "bass drum", "sfxbg", "xyz")]
        ['vocals', 'drums', 'other', 'drums', 'sfx-mix', None]
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    words = re.findall(r"[^\W\d_]+", spaced.lower())
    if "-".join(words) in PROMPTS:
        return "-".join(words)
    for length in (3, 2):
        for start in range(len(words) - length + 1):
            prompt = _PROMPT_OF_PHRASE.get(" ".join(words[start : start + length]))
            if prompt is not None:
                return prompt
    found = {_PROMPT_OF_WORD[word] for word in words if word in _PROMPT_OF_WORD}
    return min(found, key=_RANK.__getitem__) if found else None


def is_mixture(label: str) -> bool:
    """Tell whether a file beside stems is their mixture, not one of them.

    Example:
        >>> is_mixture("mixture"), is_mixture("linear_mixture"), is_mixture("music-mix")
        (True, True, False)
    """
    if label in PROMPTS:
        return False
    words = re.findall(r"[^\W\d_]+", label.lower())
    return bool({"mix", "mixture", "fullmix", "master"} & set(words)) and prompt_of(label) == "music-mix"


# Runs of programs of General MIDI, counted from 0, up to the next entry; "" is no instrument.
_PROGRAMS = (
    (0, "piano"),
    (4, "keyboards"),
    (8, "mallets"),
    (16, "organ"),
    (19, "pipe organ"),
    (20, "organ"),
    (21, "accordion"),
    (24, "acoustic guitar"),
    (26, "electric guitar"),
    (32, "bass"),
    (40, "strings"),
    (47, "percussion"),
    (48, "strings"),
    (50, "synthesizer"),
    (52, "vocals"),
    (54, "synthesizer"),
    (55, ""),
    (56, "brass"),
    (62, "synthesizer"),
    (64, "woodwinds"),
    (78, "whistling"),
    (79, "woodwinds"),
    (80, "synthesizer"),
    (104, "acoustic guitar"),
    (108, "mallets"),
    (109, "bagpipes"),
    (110, "strings"),
    (111, "woodwinds"),
    (112, "mallets"),
    (113, "percussion"),
    (114, "mallets"),
    (115, "percussion"),
    (120, ""),
)

# Whole names or runs of words of an instrument class that mean something else than their words do.
_CLASS_PHRASES: dict[str, tuple[str, ...]] = {
    "drums": ("bass drum", "drum machine", "hi hat", "high hat", "beat box"),
    "bass": ("synth bass", "bass synth", "bass guitar", "double bass", "upright bass", "slap bass"),
    "woodwinds": (
        "soprano sax",
        "tenor sax",
        "bass sax",
        "bass clarinet",
        "bass flute",
        "pan flute",
        "pan pipe",
        "english horn",
    ),
    "brass": ("bass trombone", "french horn"),
    "electric guitar": ("clean guitar", "distorted guitar", "distortion guitar", "overdriven guitar", "lead guitar"),
    "keyboards": ("electric piano", "e piano", "piano electric"),
    "synthesizer": ("synth strings", "synth brass", "synth choir", "synth voice", "synth lead", "synth pad"),
    "pipe organ": ("church organ", "pipe organ"),
    "mallets": (
        "chromatic percussion",
        "pitched percussion",
        "tuned percussion",
        "tubular bells",
        "steel drum",
        "steel drums",
        "music box",
        "melodic percussion",
    ),
    "percussion": ("body percussion", "wood block", "taiko drum", "melodic tom", "a tonal percussion"),
}

# Single words, tried in this order of classes: an "electric bass" is a bass, a "drum synth" are drums.
_CLASS_WORDS: dict[str, str] = {
    "drums": "drum drums drumkit drumset kit kick kicks bd snare snares hat hats hihat hihats tom toms cymbal cymbals "
    "overhead overheads oh beat beats breakbeat rimshot batteria batterie schlagzeug bateria",
    "vocals": "vocal vocals vox voc vocs voice voices singer singing sung choir choirs rap soprano tenor acapella",
    "bass": "bass basses basse baixo bajo contrabass bassline",
    "piano": "piano pianos pno grand upright",
    "acoustic guitar": "acoustic nylon steel banjo mandolin ukulele uke lute sitar koto shamisen acgtr",
    "electric guitar": "guitar guitars gtr gtrs guit guitarra gitarre egtr elgtr",
    "keyboards": "rhodes wurlitzer wurli clav clavinet harpsichord epiano keys keyboard keyboards",
    "pipe organ": "pipeorgan",
    "organ": "organ organs hammond",
    "strings": "string strings violin violins viola violas cello cellos fiddle harp pizzicato ensemble",
    "brass": "brass horn horns trumpet trumpets trombone trombones tuba cornet flugelhorn",
    "accordion": "accordion bandoneon harmonica melodica",
    "bagpipes": "bagpipe bagpipes",
    "whistling": "whistle whistling",
    "woodwinds": "reed reeds pipe sax saxes saxophone saxophones clarinet oboe bassoon flute flutes recorder piccolo "
    "ocarina shanai shakuhachi wind winds woodwind woodwinds",
    "mallets": "mallet mallets bell bells glockenspiel vibraphone vibes marimba xylophone kalimba celesta dulcimer",
    "percussion": "perc percs percussion percussive conga congas bongo bongos shaker tambourine clap claps cowbell "
    "timpani timbales djembe tabla taiko woodblock agogo cajon mridangam bendir",
    "synthesizer": "synth synths synthesizer synthesiser pad pads lead arp",
}
_CLASS_OF_PHRASE = {phrase: name for name, phrases in _CLASS_PHRASES.items() for phrase in phrases}
_CLASS_OF_WORD = {word: name for name, words in reversed(_CLASS_WORDS.items()) for word in words.split()}
_CLASS_RANK = {name: rank for rank, name in enumerate(_CLASS_WORDS)}


def class_of_program(program: int, *, is_drum: bool = False) -> str | None:
    """Return the instrument class of a program of General MIDI (0 to 127), or None if it plays no instrument.

    Example:
        >>> class_of_program(30), class_of_program(19), class_of_program(8, is_drum=True), class_of_program(127)
        ('electric guitar', 'pipe organ', 'drums', None)
    """
    if is_drum or program >= 128:  # Slakh2100 writes 128 for drums
        return "drums"
    return [name for first, name in _PROGRAMS if first <= program][-1] or None


def class_of(label: str) -> str | None:
    """Return the instrument class that a label stands for, or None if that is not clear.

    Stem names, program names of General MIDI, and the instrument classes of Slakh2100 and MoisesDB are understood;
    Slakh's "Guitar" counts as electric, its "Ethnic" as nothing.

    Args:
        label: free text; case, digits and punctuation do not matter.

    Example:
        >>> [class_of(label) for label in ("Lead Vox 2", "Electric Bass (pick)", "Church Organ", "Guitar", "other")]
        ['vocals', 'bass', 'pipe organ', 'electric guitar', None]
    """
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).lower())
    if " ".join(words) in INSTRUMENT_CLASSES:
        return " ".join(words)
    for length in (3, 2):
        for start in range(len(words) - length + 1):
            name = _CLASS_OF_PHRASE.get(" ".join(words[start : start + length]))
            if name is not None:
                return name
    found = {_CLASS_OF_WORD[word] for word in words if word in _CLASS_OF_WORD}
    return min(found, key=_CLASS_RANK.__getitem__) if found else None
