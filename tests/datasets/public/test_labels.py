import pytest

from unbraid.datasets.public.catalog import DATASETS
from unbraid.datasets.public.dataset import Recording, Stem, Track
from unbraid.datasets.public.labels import FOUR, GROUPS, SOUNDS, Sound, meaning, sound_of
from unbraid.datasets.public.moisesdb import STEM_NAMES
from unbraid.datasets.public.programs import INST_CLASSES, PROGRAMS, program_number
from unbraid.datasets.public.speech_preparation import PROMPTS as SPEECH_PROMPTS
from unbraid.datasets.taxonomy import PROMPTS, class_of_program
from unbraid.errors import DatasetError
from unbraid.evaluation.paper_guidesep import GROUPS as GROUPS_OF_THE_PAPER
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES

MEDLEYDB_TAXONOMY = """
erhu, violin, viola, cello, double bass, violin section, viola section, cello section, string section, acoustic guitar,
banjo, guzheng, harp, harpsichord, liuqin, mandolin, oud, slide guitar, ukulele, zhongruan, sitar, dulcimer, yangqin,
piano, tack piano, dizi, flute, flute section, piccolo, bamboo flute, panpipes, recorder, alto saxophone,
baritone saxophone, bass clarinet, clarinet, clarinet section, tenor saxophone, soprano saxophone, oboe, english horn,
bassoon, bagpipe, trumpet, cornet, trombone, french horn, euphonium, tuba, brass section, french horn section,
trombone section, horn section, trumpet section, harmonica, concertina, accordion, bandoneon, harmonium, pipe organ,
melodica, male singer, female singer, male speaker, female speaker, male rapper, female rapper, beatboxing, vocalists,
crowd, triangle, sleigh bells, cowbell, cabasa, high hat, gong, guiro, gu, cymbal, chimes, castanet, claps, rattle,
shaker, maracas, xylophone, vibraphone, marimba, glockenspiel, whistle, timpani, toms, snare drum, kick drum, bass drum,
bongo, conga, tambourine, darbuka, doumbek, tabla, auxiliary percussion, drum set, clean electric guitar,
distorted electric guitar, electric bass, lap steel guitar, drum machine, electric piano, electronic organ, synthesizer,
theremin, fx/processed sound, scratches, sampler, Main System, Unlabeled
"""
"""The instruments of MedleyDB's taxonomy, version 1.0."""

MOISES_KINDS = {
    "bass": (
        "bass guitar",
        "bass synthesizer (moog etc)",
        "contrabass/double bass (bass of instrings)",
        "tuba",
        "bassoon",
    ),
    "bowed_strings": ("violin (solo)", "viola section", "cello section", "string section", "other strings"),
    "drums": (
        "snare drum",
        "toms",
        "kick drum",
        "cymbals",
        "overheads",
        "full acoustic drumkit",
        "drum machine",
        "hi-hat",
    ),
    "guitar": (
        "acoustic guitar",
        "clean electric guitar",
        "distorted electric guitar",
        "lap steel guitar or slide guitar",
    ),
    "other": ("fx/processed sound, scratches, gun shots, explosions etc", "click track"),
    "other_keys": ("organ, electric organ", "synth pad", "synth lead", "other sounds (hapischord, melotron etc)"),
    "other_plucked": ("banjo, mandolin, ukulele, harp etc",),
    "percussion": (
        "a-tonal percussion (claps, shakers, congas, cowbell etc)",
        "pitched percussion (mallets, glockenspiel, ...)",
    ),
    "piano": ("grand piano", "electric piano (rhodes, wurlitzer, piano sound alike)"),
    "vocals": (
        "lead male singer",
        "lead female singer",
        "human choir",
        "background vocals",
        "other (vocoder, beatboxing etc)",
    ),
    "wind": (
        "brass",
        "flutes (piccolo, bamboo flute, panpipes, flutes etc)",
        "reeds (saxophone, clarinets, oboe, bagpipe)",
        "other wind",
    ),
}


def every_sound():
    yield from ((f"ours: {name}", sound) for name, sound in SOUNDS.items())
    yield from ((f"medleydb: {name}", sound_of("medleydb", name)) for name in medley_labels())
    for stem, kinds in MOISES_KINDS.items():
        yield from ((f"moisesdb: {stem}/{kind}", sound_of("moisesdb", f"{stem}/{kind}")) for kind in kinds)
    for number, name in enumerate(PROGRAMS):
        yield f"slakh: {name}", sound_of("slakh2100", f"{INST_CLASSES[number // 8]}/{name}")


def medley_labels():
    return " ".join(MEDLEYDB_TAXONOMY.split()).split(", ")


def test_every_published_label_has_words_of_all_vocabularies():
    legal = {
        "prompt": {*PROMPTS, ""},
        "four": {*FOUR, ""},
        "instrument": {*INSTRUMENT_CLASSES, ""},
        "group": {*GROUPS, ""},
        "slakh_class": {*INST_CLASSES, ""},
    }
    found = [(name, vars(sound)) for name, sound in every_sound()]
    assert len(found) > 250
    assert [(name, words) for name, words in found if any(words[key] not in legal[key] for key in legal)] == []


def test_only_labels_that_say_nothing_mean_nothing():
    nothing = [name for name, sound in every_sound() if sound == Sound()]
    assert nothing == ["ours: unclear", "medleydb: Main System", "medleydb: Unlabeled", "moisesdb: other/click track"]
    without_class = {name for name, sound in every_sound() if not sound.instrument and name.startswith("medleydb")}
    assert {name.partition(": ")[2] for name in without_class} == {
        *("male speaker", "female speaker", "crowd", "fx/processed sound", "scratches", "sampler"),
        *("Main System", "Unlabeled"),
    }


def test_all_stems_of_moisesdb_and_all_classes_of_slakh_are_known():
    assert set(MOISES_KINDS) == set(STEM_NAMES)
    assert GROUPS == GROUPS_OF_THE_PAPER
    assert len(PROGRAMS) == 128
    assert len(INST_CLASSES) == 17
    assert {sound_of("slakh2100-redux", f"{name}/").group for name in INST_CLASSES} == {*GROUPS, ""}


def test_every_class_has_a_label_in_some_dataset():
    known = {sound.instrument for _, sound in every_sound()}
    assert known >= set(INSTRUMENT_CLASSES)


def test_a_dataset_of_the_catalog_is_in_the_table():
    free = {"song-folders", "stem-folders", "table", "pairs"}
    examples = {"moisesdb": "vocals/choir", "slakh2100": "Piano/Clavinet", "slakh2100-redux": "Drums/Drums"}
    examples |= {
        "humtrans": "humming",
        "medleydb": "piano",
        "medleydb2": "piano",
        "musdb18": "bass",
        "musdb18-hq": "bass",
    }
    examples |= {"fma-small": "music", "fma-medium": "music"}
    for name in set(DATASETS) - free - {"fsd50k"}:
        for label in SPEECH_PROMPTS[name] if name in SPEECH_PROMPTS else [examples[name]]:
            assert sound_of(name, label).prompt in PROMPTS, name
    with pytest.raises(DatasetError, match="not clear what the label 'music' means"):
        sound_of("wham", "music")


def test_moisesdb_counts_by_the_stem_as_tuss_does():
    assert sound_of("moisesdb", "percussion/a-tonal percussion").prompt == "other"
    assert sound_of("moisesdb", "percussion/a-tonal percussion").instrument == "percussion"
    assert sound_of("moisesdb", "bass/tuba (bass of brass)") == Sound("bass", "bass", "brass", "Brass", "Brass")
    assert sound_of("moisesdb", "vocals/other (vocoder, beatboxing etc)").instrument == "vocals"
    assert sound_of("moisesdb", "guitar/something new").instrument == "electric guitar"
    assert sound_of("moisesdb", "guitar/lap_steel_guitar_or_slide_guitar") == sound_of(
        "moisesdb", "guitar/lap steel guitar"
    )
    assert sound_of("moisesdb", "bowed_strings/Cello_Section").slakh_class == "Strings (continued)"


def test_slakh_has_the_group_of_its_class_and_the_instrument_of_its_program():
    assert sound_of("slakh2100", "Strings (continued)/Synth Strings 1").group == "Strings"
    assert sound_of("slakh2100", "Synth Effects/FX 1 (rain)") == Sound("other", "other", "", "", "Synth Effects")
    assert sound_of("slakh2100", "Sound effects/Seashore").slakh_class == "Sound Effects"
    assert sound_of("slakh2100", "Percussive/Taiko Drum").prompt == "drums"
    assert sound_of("slakh2100", "Chromatic Percussion/Vibraphone").group == "Chromatic Percussion"
    for number, name in enumerate(PROGRAMS[:96]):
        assert program_number(name) == number
        assert sound_of("slakh2100", f"{INST_CLASSES[number // 8]}/{name}").instrument == (
            class_of_program(number) or ""
        )


def test_a_stem_of_several_instruments_has_what_they_have_in_common():
    assert sound_of("medleydb", "male singer, female singer") == SOUNDS["vocals"]
    assert sound_of("medleydb", "piano, electric piano") == Sound("other", "other", "", "Piano", "Piano")
    assert sound_of("medleydb", "piano, electric bass") == Sound()


def test_names_that_people_give_are_understood():
    assert sound_of("song-folders", "Lead Vox") == Sound("vocals", "vocals", "vocals")
    assert sound_of("stem-folders", "e-piano").instrument == "keyboards"
    assert sound_of("pairs", "saxophone") == Sound("other", "other", "woodwinds")
    with pytest.raises(DatasetError, match="not clear what the label 'xyz' means"):
        sound_of("table", "xyz")


def test_clips_of_fsd50k_are_told_by_their_length_and_labels(tmp_path):
    stem = Stem("sound", "Bark", (Recording(tmp_path / "a.wav", 44100, 44100, 1),))
    track = Track("1", "fsd50k", "dev", (stem,), details={"labels": "Bark,Dog", "collection": "Bark"})
    assert meaning(track, stem) == Sound("sfx")
    loud = Track("1", "fsd50k", "dev", (stem,), details={"labels": "Speech,Human_voice", "collection": "Speech"})
    assert meaning(loud, stem) == Sound()
