import re

import pytest

from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.taxonomy import PROMPTS, class_of, class_of_program, is_mixture, prompt_of
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES

LABELS = {
    "speech": "speech Dialogue voice-over DX narrator speaker_1 'male voice' spoken-word",
    "sfx": "sfx SFX_03 foley 'Sound Effects' 'Sound effects' effects",
    "sfx-mix": "sfx-mix sfxbg 'sfx mix' ambience 'room tone' noise background_noise atmos",
    "drums": "drums Drums Kick kick_in 01_Snare.Top OHL-overheads hi-hat 'bass drum' Percussive perc2 clap tambourine",
    "bass": "bass Bass 'Electric Bass (finger)' bass_guitar 'synth bass' sub-bass 'Double Bass' 'Lead Bass' 808-bass",
    "vocals": "vocals 'lead vox' BGVox backing_vocals VOX2 singer 'Choir Aahs' 'Voice Oohs' acapella rap",
    "other": """other gtr e-piano 'Electric Guitar (jazz)' Piano 'Chromatic Percussion' 'Synth Lead' 'Synth Pad' Organ
        Brass Reed Pipe Ethnic Guitar 'Strings (continued)' bass_clarinet Bassoon 'Synth Choir' acousticGuitar lead
        'steel drums' keys""",
    "music-mix": "music-mix musicbg music 'background music' mixture mix",
}
PAIRS = [
    (label.strip("'"), prompt) for prompt, labels in LABELS.items() for label in re.findall(r"'[^']+'|\S+", labels)
]


@pytest.mark.parametrize(("label", "prompt"), PAIRS)
def test_labels_of_every_kind_are_understood(label, prompt):
    assert prompt_of(label) == prompt


@pytest.mark.parametrize("prompt", PROMPTS)
def test_prompts_stand_for_themselves(prompt):
    assert prompt_of(prompt) == prompt_of(prompt.upper()) == prompt_of(prompt.replace("-", "_")) == prompt


@pytest.mark.parametrize("label", ["", "S01", "xyz", "track 12", "123", "--"])
def test_what_is_not_clear_is_none(label):
    assert prompt_of(label) is None


@pytest.mark.parametrize("label", ["mixture", "Mix", "mixture_44k", "full-mix", "song master"])
def test_mixtures(label):
    assert is_mixture(label)


@pytest.mark.parametrize("label", ["drum mix", "music-mix", "sfx-mix", "music", "vocals", "mixolydian"])
def test_stems_are_no_mixtures(label):
    assert not is_mixture(label)


CLASSES = {
    "vocals": "vocals 'lead vox' 'Background Vocals' 'lead female singer' Vocals",
    "drums": "drums Kick_In 'drum machine' 'bass drum' overheads Drums 'Standard Kit'",
    "bass": "bass 'Electric Bass (finger)' 'Synth Bass 1' 'Double Bass' Bass",
    "electric guitar": "'clean electric guitar' 'Distortion Guitar' 'Electric Guitar (jazz)' gtr Guitar",
    "acoustic guitar": "acousticGuitar 'Acoustic Guitar (nylon)' Banjo Sitar ukulele",
    "piano": "piano grand_piano 'Bright Acoustic Piano' Piano",
    "keyboards": "electric_piano Rhodes Clavinet Harpsichord E-Piano",
    "synthesizer": "'synth pad' 'Synth Lead' 'Synth Strings 1' 'Synth Effects' synths",
    "organ": "'Drawbar Organ' hammond Organ",
    "strings": "'viola section' Cello 'Strings (continued)' 'Pizzicato Strings'",
    "brass": "Trumpet 'French Horn' 'Bass Trombone' Brass",
    "woodwinds": "'Tenor Sax' flutes 'bass clarinet' Reed Pipe",
    "percussion": "'a-tonal percussion' shaker Percussive 'Body Percussion'",
    "accordion": "Accordion bandoneon",
    "mallets": "'Chromatic Percussion' 'pitched percussion' Vibraphone 'Steel Drums'",
    "pipe organ": "'Church Organ' pipe-organ",
    "bagpipes": "Bagpipe",
    "whistling": "Whistle whistling",
}
CLASS_PAIRS = [(label.strip("'"), name) for name, text in CLASSES.items() for label in re.findall(r"'[^']+'|\S+", text)]


@pytest.mark.parametrize(("label", "name"), CLASS_PAIRS)
def test_labels_of_instrument_classes_are_understood(label, name):
    assert class_of(label) == name


@pytest.mark.parametrize("label", ["other", "Ethnic", "Sound effects", "S03", ""])
def test_what_is_no_instrument_class_is_none(label):
    assert class_of(label) is None


def test_every_class_has_a_name_of_its_own_and_most_have_programs():
    assert len(INSTRUMENT_CLASSES) == 18
    assert all(class_of(name) == name for name in INSTRUMENT_CLASSES)
    programs = {class_of_program(program) for program in range(128)} | {class_of_program(0, is_drum=True)}
    assert programs - {None} == set(INSTRUMENT_CLASSES)
    assert class_of_program(128) == "drums"


def test_names_and_programs_of_the_composed_instruments_agree():
    for instrument in INSTRUMENTS.values():
        if instrument.category != "vocals" and instrument.name != "Crystal Effect":
            assert class_of(instrument.name) == class_of_program(instrument.program, is_drum=instrument.is_drum)
