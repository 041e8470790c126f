import re

import pytest

from unbraid.datasets.taxonomy import PROMPTS, is_mixture, prompt_of

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
