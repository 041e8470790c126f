import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unbraid.errors import DatasetError
from unbraid.evaluation.items import (
    ItemSource,
    choose_items,
    find_items,
    group_stems,
    map_stems,
    read_item,
    stem_files,
)

OPEN = Path(__file__).parents[3] / "shared" / "audio" / "open"
RATE = 8000


def write(path: Path, *, n_samples: int = 800, n_channels: int = 1, seed: int = 0, rate: int = RATE) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(-8000, 8000, (n_samples, n_channels)) / 32768
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return samples.T


def write_metadata(folder: Path, **values: object) -> None:
    (folder / "metadata.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("speech", ["speech", "rain"], ["speech", "sfx-mix"]),
        ("speech", ["speech", "music"], ["speech", "music-mix"]),
        ("speech", ["speaker1", "speaker2", "speaker3"], ["speech"] * 3),
        ("singing", ["singing", "city"], ["vocals", "sfx-mix"]),
        ("singing", ["singing", "cello"], ["vocals", "other"]),
        ("sfx", ["church_bells_01", "vehicle_horn_02", "background_city"], ["sfx"] * 3),
        ("sfx", ["train_whistle", "doorbell"], ["sfx", "sfx"]),
        ("music", ["drums", "bass", "clean_guitar2", "vocals_male"], ["drums", "bass", "other", "vocals"]),
        ("music", ["vocals", "music"], ["vocals", "other"]),
        ("music", ["bass", "unheard of"], ["bass", "other"]),
        ("", ["vocals", "drums", "bass", "other"], ["vocals", "drums", "bass", "other"]),
        ("", ["speech-1", "speech-2", "sfx-mix", "music-mix"], ["speech", "speech", "sfx-mix", "music-mix"]),
        ("", ["sfx-1", "sfx-2", "sfx-mix"], ["sfx"] * 3),
    ],
)
def test_names_become_prompts(kind: str, names: list[str], expected: list[str]) -> None:
    assert list(map_stems(names, kind=kind).values()) == expected


def test_speech_stays_apart_and_instruments_are_summed() -> None:
    stems = {name: torch.full((1, 4), float(2**power)) for power, name in enumerate(["a", "b", "c", "d"])}
    made = group_stems(stems, {"a": "speech", "b": "other", "c": "speech", "d": "other"})
    assert [(one.prompt, one.stems, one.samples[0, 0].item()) for one in made] == [
        ("speech", ("a",), 1.0),
        ("speech", ("c",), 4.0),
        ("other", ("b", "d"), 10.0),
    ]


def test_a_musdb_song_is_read_and_its_mixture_is_the_sum(tmp_path: Path) -> None:
    folder = tmp_path / "test" / "A song"
    stems = {
        name: write(folder / f"{name}.wav", n_channels=2, seed=seed)
        for seed, name in enumerate(["vocals", "drums", "bass", "other"])
    }
    write(folder / "mixture.wav", n_channels=2, seed=9)
    write(tmp_path / "train" / "Not this" / "vocals.wav")
    write(tmp_path / "train" / "Not this" / "drums.wav")
    (source,) = find_items(tmp_path)
    item = source.read()
    assert (item.item_set, item.name, item.sample_rate) == ("musdb", "A song", RATE)
    assert set(item.prompts) == set(stems)
    np.testing.assert_allclose(item.mixture.numpy(), sum(stems.values()), atol=1e-6)
    for reference in item.references:
        np.testing.assert_allclose(reference.samples.numpy(), stems[reference.prompt], atol=1e-6)


def test_four_stems_without_a_mixture_file_are_no_musdb_song(tmp_path: Path) -> None:
    for name in ("vocals", "drums", "bass", "other"):
        write(tmp_path / f"{name}.wav")
    assert read_item(tmp_path).item_set == "stems"


def test_the_distributed_mixture_is_taken_on_demand(tmp_path: Path) -> None:
    write(tmp_path / "vocals.wav")
    write(tmp_path / "drums.wav", seed=1)
    mixture = write(tmp_path / "mix.wav", seed=2)
    item = read_item(tmp_path, distributed_mixture=True)
    np.testing.assert_allclose(item.mixture.numpy(), mixture, atol=1e-6)


@pytest.mark.parametrize(("n_samples", "message"), [(700, "differs from its stems"), (0, "no mixture file")])
def test_a_distributed_mixture_that_does_not_fit_is_refused(tmp_path: Path, n_samples: int, message: str) -> None:
    write(tmp_path / "vocals.wav")
    write(tmp_path / "drums.wav", seed=1)
    if n_samples:
        write(tmp_path / "mixture.wav", n_samples=n_samples)
    with pytest.raises(DatasetError, match=message):
        read_item(tmp_path, distributed_mixture=True)


def test_metadata_names_the_item_its_kind_and_its_stems(tmp_path: Path) -> None:
    folder = tmp_path / "speech" / "folder"
    write(folder / "one.flac")
    write(folder / "two.flac", seed=1)
    write(folder / "guide.flac", seed=2)
    write_metadata(
        folder,
        id="bed",
        part="open",
        kind="speech",
        stems=[{"file": "one.flac", "name": "speech"}, {"file": "two.flac", "name": "city"}],
    )
    item = find_items(tmp_path)[0].read()
    assert (item.name, item.item_set) == ("bed", "open/speech")
    assert [(one.prompt, one.stems) for one in item.references] == [("speech", ("speech",)), ("sfx-mix", ("city",))]


def test_items_that_no_prompt_stands_for_are_passed_over(tmp_path: Path) -> None:
    for folder, names in (("hum", ["target", "rest"]), ("alone", ["vocals"]), ("song", ["vocals", "drums"])):
        for name in names:
            write(tmp_path / folder / f"{name}.wav")
    assert [source.name for source in find_items(tmp_path)] == ["song"]


def test_a_folder_of_stems_can_be_given_itself(tmp_path: Path) -> None:
    write(tmp_path / "vocals.wav")
    write(tmp_path / "drums.wav")
    assert [source.name for source in find_items(tmp_path)] == [tmp_path.name]


def test_silent_stems_are_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path / "vocals.wav")
    soundfile.write(tmp_path / "drums.wav", np.zeros(800), RATE)
    item = read_item(tmp_path)
    assert item.prompts == ("vocals",)
    assert item.silent == ("drums",)


def test_shorter_and_mono_stems_are_brought_to_one_shape(tmp_path: Path) -> None:
    vocals = write(tmp_path / "vocals.wav", n_samples=500)
    write(tmp_path / "drums.wav", n_channels=2, seed=1)
    item = read_item(tmp_path)
    (sung,) = [one.samples.numpy() for one in item.references if one.prompt == "vocals"]
    assert sung.shape == (2, 800)
    np.testing.assert_allclose(sung[:, :500], np.repeat(vocals, 2, axis=0), atol=1e-6)
    assert not sung[:, 500:].any()


def test_stems_that_cannot_go_together_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "rates" / "vocals.wav")
    write(tmp_path / "rates" / "drums.wav", rate=16000)
    with pytest.raises(DatasetError, match=r"sample rates \[8000, 16000\]"):
        read_item(tmp_path / "rates")
    write(tmp_path / "channels" / "vocals.wav", n_channels=2)
    write(tmp_path / "channels" / "drums.wav", n_channels=3)
    with pytest.raises(DatasetError, match="2 channels beside one of 3"):
        read_item(tmp_path / "channels")
    for name in ("vocals", "drums"):
        (tmp_path / "silent").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "silent" / f"{name}.wav", np.zeros(9), RATE)
    with pytest.raises(DatasetError, match="all stems are silent"):
        read_item(tmp_path / "silent")


def test_a_tree_without_items_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder with two or more stems"):
        find_items(tmp_path)
    with pytest.raises(DatasetError, match="is not a folder"):
        find_items(tmp_path / "missing")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_metadata_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "vocals.wav")
    (tmp_path / "metadata.json").write_text(text)
    with pytest.raises(DatasetError, match=r"metadata\.json is not (JSON|a JSON object)"):
        find_items(tmp_path)


def test_mixture_files_are_no_stems(tmp_path: Path) -> None:
    for name in ("mixture", "mix", "linear_mixture", "vocals", "music-mix"):
        write(tmp_path / f"{name}.wav")
    assert set(stem_files(tmp_path)) == {"vocals", "music-mix"}


def test_the_fingerprint_changes_with_any_sample(tmp_path: Path) -> None:
    write(tmp_path / "vocals.wav")
    write(tmp_path / "drums.wav", seed=1)
    before = read_item(tmp_path).fingerprint
    assert read_item(tmp_path).fingerprint == before
    write(tmp_path / "drums.wav", seed=2)
    assert read_item(tmp_path).fingerprint != before


def test_the_seed_chooses_the_items_and_more_contains_fewer() -> None:
    items = [ItemSource(f"{number:02d}", read=pytest.fail) for number in range(30)]  # type: ignore[arg-type]
    few, more = (choose_items(items, count=count, seed=3) for count in (5, 20))
    assert len(few) == 5
    assert set(few) < set(more)
    assert [item.name for item in more] == sorted(item.name for item in more)
    assert choose_items(items, count=5, seed=4) != few
    assert choose_items(items, count=None, seed=0) == choose_items(items, count=99, seed=0) == items


@pytest.mark.skipif(not OPEN.is_dir(), reason="the open recordings are not here")
def test_the_open_recordings_become_the_items_that_they_are() -> None:
    items = {source.name: source for source in find_items(OPEN)}
    assert len(items) == 23  # music 9, speech 8, sfx 4, singing 2; not hum and listen
    prompts = {name.rpartition("/")[2]: source.read().prompts for name, source in items.items()}
    assert prompts["spk3_overlap"] == ("speech", "speech", "speech")
    assert prompts["music_bed"] == ("speech", "music-mix")
    assert prompts["voice_in_city"] == ("vocals", "sfx-mix")
    assert prompts["seagull_waves"] == ("sfx", "sfx", "sfx")
    assert set(prompts["mdb_beatles"]) == {"drums", "bass", "vocals", "other"}
    item = items["music/mdb_reggae"].read()
    mixture, rate = soundfile.read(OPEN / "music/mdb_reggae/mixture.flac", dtype="float32", always_2d=True)
    assert rate == item.sample_rate
    np.testing.assert_allclose(item.mixture.numpy(), mixture.T, atol=1e-6)
