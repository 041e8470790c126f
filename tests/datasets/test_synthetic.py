import subprocess
import sys

import numpy as np
import pytest

from unbraid.datasets.composer import compose
from unbraid.datasets.instruments import CATEGORIES
from unbraid.datasets.soundfont import open_player
from unbraid.datasets.styles import STYLES
from unbraid.datasets.synthetic import SAMPLE_RATE, draw_track, render_track


@pytest.fixture(scope="module")
def tracks():
    return {style: render_track(draw_track(11, duration=4.0, style=style)) for style in STYLES}


def share_below(samples, hertz):
    power = np.abs(np.fft.rfft(samples.mean(axis=0))) ** 2
    frequencies = np.fft.rfftfreq(samples.shape[1], 1 / SAMPLE_RATE)
    return power[frequencies < hertz].sum() / power.sum()


@pytest.mark.parametrize("style", STYLES)
def test_stems_are_sane(tracks, style):
    track = tracks[style]
    assert len(track.stems) >= 2
    for stem in track.stems.values():
        assert stem.samples.shape == (2, 4 * SAMPLE_RATE)
        assert stem.samples.dtype == np.float32
        assert np.isfinite(stem.samples).all()
        assert 1e-4 < np.abs(stem.samples).max() <= 0.9 + 1e-5
        assert stem.notes == stem.part.notes
    assert 0.2 < np.abs(track.mixture).max() <= 0.9 + 1e-5


def test_categories_are_there_and_add_up(tracks):
    assert {name for track in tracks.values() for name in track.categories} == set(CATEGORIES)
    for track in tracks.values():
        total = sum(track.category(name) for name in CATEGORIES)
        assert np.allclose(total, track.mixture, atol=1e-5)
        for name in CATEGORIES:
            assert track.category(name).any() == (name in track.categories)


def test_parts_sound_when_they_play(tracks):
    for track in tracks.values():
        for stem in track.stems.values():
            first = int(stem.notes[0].start * SAMPLE_RATE)
            early = stem.samples[:, : max(0, first - SAMPLE_RATE // 2)]
            assert not early.size or np.abs(early).max() < 0.02 * np.abs(stem.samples).max()


def test_spectra_are_those_of_basses_drums_and_singers(tracks):
    basses = [share_below(track.category("bass"), 350) for track in tracks.values() if "bass" in track.categories]
    assert np.median(basses) > 0.7
    drums = [1 - share_below(track.category("drums"), 4000) for track in tracks.values() if "drums" in track.categories]
    assert np.median(drums) > 0.01
    voices = [track.category("vocals") for track in tracks.values() if "vocals" in track.categories]
    assert np.median([share_below(voice, 100) for voice in voices]) < 0.05
    assert np.median([share_below(voice, 4500) for voice in voices]) > 0.9


def test_the_same_draw_gives_the_same_samples_and_seeds_differ(tracks):
    again = render_track(draw_track(11, duration=4.0, style="funk"))
    assert again.mixture.tobytes() == tracks["funk"].mixture.tobytes()
    other = render_track(draw_track(12, duration=6.0, style="funk"))
    assert not np.array_equal(other.mixture, again.mixture)


def test_a_soundfont_plays_the_sampled_parts():
    player = open_player()
    if player is None:
        pytest.skip("no SoundFont is installed")
    draw = draw_track(5, duration=4.0, style="rock")
    sampled = {index for index, part in enumerate(compose(draw)) if part.draw.sampled}
    assert sampled
    first, second = render_track(draw, player=player), render_track(draw, player=player)
    plain = render_track(draw)
    assert first.mixture.tobytes() == second.mixture.tobytes()
    for index, name in enumerate(first.stems):
        here = first.stems[name].samples / np.abs(first.stems[name].samples).max()
        there = plain.stems[name].samples / np.abs(plain.stems[name].samples).max()
        assert np.allclose(here, there, atol=1e-3) == (index not in sampled)


def test_odd_lengths_are_exact():
    track = render_track(draw_track(1, duration=1.23456, style="folk"))
    assert track.n_samples == round(1.23456 * SAMPLE_RATE)
    assert track.mixture.shape == (2, track.n_samples)


def test_rendering_needs_neither_torch_nor_mido_nor_yaml():
    code = (
        "import sys; from unbraid.datasets.synthetic import draw_track, render_track;"
        "render_track(draw_track(1, duration=1.0)); print(sorted({'torch', 'mido', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
