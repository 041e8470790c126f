import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unbraid.audio.resample import resample
from unbraid.datasets.public.dataset import Recording, Stem
from unbraid.datasets.public.fsd50k import FSD50K
from unbraid.datasets.public.fuss import FUSS
from unbraid.datasets.public.librivox import LIBRIVOX
from unbraid.datasets.public.reading import read_mixture, read_recording
from unbraid.datasets.public.speech_preparation import (
    PROMPTS,
    band_rate_of,
    band_rates,
    first_of_each_size,
    fsd50k_prompt,
    listed,
    silent_stems,
    sounding,
    trimmed,
    trimmed_stems,
    windows,
)
from unbraid.datasets.public.vctk import VCTK_080
from unbraid.datasets.taxonomy import PROMPTS as ALL_PROMPTS
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import make_fsd50k, make_fuss, make_librivox, make_vctk_080, noise, write


def test_every_prompt_is_one_of_tuss():
    assert {prompt for labels in PROMPTS.values() for prompt in labels.values()} <= set(ALL_PROMPTS)
    assert PROMPTS["whamr-anechoic"] == {"speech": "speech", "noise": "sfx-mix"}
    assert PROMPTS["dnr"]["music"] == "music-mix"
    assert PROMPTS["wham-single-8k-min"]["noise"] == "sfx-mix"


def test_effects_are_short_clips_of_one_label_and_mixes_are_long_ones(tmp_path):
    make_fsd50k(tmp_path)
    assert {track.name: fsd50k_prompt(track) for track in FSD50K.index(tmp_path, "dev")} == {
        "64760": None,  # music
        "1001": "sfx",
        "1002": "sfx-mix",  # exactly 8 s
        "1003": "sfx-mix",  # two labels, 9 s
        "1004": None,  # two labels, 1.5 s
        "1005": None,  # voice
        "1006": None,  # breath
        "1007": None,  # people
        "1008": "sfx",
        "1009": "sfx",  # three labels of the ground truth, one of the annotators
    }


def test_effects_need_the_labels_of_the_annotators(tmp_path):
    make_fsd50k(tmp_path, metadata=False)
    with pytest.raises(DatasetError, match=r"unpack FSD50K.metadata.zip"):
        fsd50k_prompt(FSD50K.index(tmp_path, "eval")[0])


def test_fuss_counts_only_sources_that_sound(tmp_path):
    make_fuss(tmp_path, n_mixtures=4)
    tracks = FUSS.index(tmp_path, "eval")
    assert silent_stems(tracks[3].stems) == [False, False, False, True]
    heard = sounding(tracks, n_stems=(2, 3, 4))
    assert [[stem.name for stem in track.stems] for track in heard] == [
        ["background0", "foreground0"],
        ["background0", "foreground0", "foreground1"],
        ["background0", "foreground0", "foreground1"],
    ]
    assert np.array_equal(read_mixture(heard[2], 0, 4000), read_mixture(tracks[3], 0, 4000))
    assert len(sounding(tracks)) == 4
    mute = replace(tracks[0], stems=tracks[3].stems[3:])
    assert sounding([mute]) == []


def test_fuss_validates_with_the_first_mixtures_of_each_size(tmp_path):
    make_fuss(tmp_path, n_mixtures=8)
    tracks = FUSS.index(tmp_path, "validation")
    first = first_of_each_size(iter(tracks), n_tracks=2)
    assert [track.name[-1] for track in first] == ["1", "5", "2", "3"]
    assert [len(track.stems) for track in first] == [2, 2, 3, 3]
    assert [track.name[-1] for track in first_of_each_size(tracks, n_tracks=1, sizes=(3, 2))] == ["2", "1"]
    assert first_of_each_size([]) == []


def test_lists_choose_tracks(tmp_path):
    make_librivox(tmp_path / "speech")
    tracks = LIBRIVOX.index(tmp_path / "speech")
    (tmp_path / "keep.txt").write_text("Zoë Müller/глава 1/фраза\nnobody\n", encoding="utf-8")
    assert [track.sample_rate for track in listed(tracks, tmp_path / "keep.txt")] == [22050]
    (tmp_path / "keep.txt").write_text("nobody\n")
    with pytest.raises(DatasetError, match="lists no track"):
        listed(tracks, tmp_path / "keep.txt")


@pytest.mark.parametrize(("n_samples", "n_windows"), [(100, 1), (800, 1), (801, 2), (1200, 2), (1600, 3)])
def test_windows_cover_all_of_a_recording(n_samples, n_windows):
    found = windows(n_samples, 100)
    assert len(found) == n_windows
    assert (found[0][0], found[-1][1]) == (0, n_samples)
    assert {stop - start for start, stop in found} == {min(n_samples, 800)}


def test_silence_at_both_ends_is_taken_off(tmp_path):
    quiet = noise(1.0, 8000, 1, level=1e-4)
    write(tmp_path / "a.wav", np.concatenate([quiet, noise(0.5, 8000, 2), quiet, noise(0.5, 8000, 3), quiet]), 8000)
    whole = Recording(tmp_path / "a.wav", 8000, 32000, 1)
    piece = trimmed(whole)
    assert (piece.start, piece.n_samples) == (8000 - 800, 16000 + 1600)
    assert np.array_equal(read_recording(piece), read_recording(whole, piece.start, piece.start + piece.n_samples))
    inner = trimmed(replace(whole, start=4000, n_samples=10000), margin=0.0)
    assert (inner.start, inner.n_samples) == (8000, 4000)
    write(tmp_path / "b.wav", np.zeros(32000), 8000)
    assert trimmed(replace(whole, path=tmp_path / "b.wav")) == replace(whole, path=tmp_path / "b.wav")


def test_the_old_vctk_is_trimmed_like_the_new_one(tmp_path):
    make_vctk_080(tmp_path)
    stems = [track.stems[0] for track in VCTK_080.index(tmp_path, "all")]
    assert {stem.n_samples for stem in stems} == {12000 + 2 * 4800}
    assert {(stem.recordings[0].start, stem.n_samples) for stem in trimmed_stems(stems)} == {(0, 21600)}


@pytest.mark.parametrize("band_rate", [8000, 16000, 22050, 32000])
def test_narrow_recordings_are_known_at_a_wider_rate(tmp_path, band_rate):
    narrow = torch.from_numpy(noise(1.0, band_rate, band_rate)).float()[None]
    wide = resample(narrow, source_rate=band_rate, target_rate=48000)[0].numpy()
    assert band_rate_of(wide, 48000) == band_rate
    write(tmp_path / "a.flac", wide, 48000)
    assert band_rates([Stem("a", "speech", (Recording(tmp_path / "a.flac", 48000, len(wide), 1),))]) == [band_rate]


def test_wide_short_and_silent_recordings_keep_their_rate():
    assert band_rate_of(noise(1.0, 48000, 0).astype(np.float32), 48000) == 48000
    assert band_rate_of(np.ones(100, np.float32), 48000) == 48000
    assert band_rate_of(np.zeros(4800, np.float32), 48000) == 48000
