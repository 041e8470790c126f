"""From the names that people give to stems ("lead vox", "kick", "Electric Guitar (jazz)") to the eight prompts."""

from __future__ import annotations

import re

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
