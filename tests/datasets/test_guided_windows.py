"""Mixtures with guides: levels, rests, backgrounds, masks, and that a draw can be replayed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.guided_draws import Balance, GuidedSettings
from unbraid.datasets.guided_packs import Imitation, MelodyEntry, MelodyWindow, read_melodies, write_melodies
from unbraid.datasets.guided_windows import GuidedSet, recolor, rest_gate, shift
from unbraid.datasets.pack import PackWriter
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

N = 16384


def tone(pitch):
    time = np.arange(2 * N) / 16000
    return Audio.from_array(0.2 * np.sin(2 * np.pi * Note(0, 1, pitch, 90).hertz * time).astype(np.float32), 16000)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return the melodies and sources of seven songs: a piano, a bass two octaves lower, and noise for drums."""
    folder, entries = tmp_path_factory.mktemp("packs") / "tones_train", []
    with PackWriter(folder, sample_rate=16000) as writer:
        for number in range(7):
            song = f"song-{number}"
            noise = 0.1 * np.random.default_rng(number).standard_normal(2 * N).astype(np.float32)
            writer.add(f"{song}/drums", Audio.from_array(noise, 16000), prompt="drums", track=song)
            for stem, group, pitch in (("piano", "Piano", 60 + number), ("bass", "Bass", 36 + number)):
                name = f"{song}/{stem}"
                writer.add(name, tone(pitch), prompt=stem, track=song)
                writer.add(f"{name}/mimicry", tone(pitch + 12), prompt="mimicry", track=song)
                window = MelodyWindow(4000, (Imitation(0, "hum", ""), Imitation(N, "hum", "")))
                notes = (Note(0.0, 2 * N / 16000, pitch, 90),)
                entries.append(MelodyEntry(name, f"{name}/mimicry", group, 0, notes, (window,)))
    write_melodies(folder, entries)
    return read_melodies(folder)


def windows(found, **settings):
    return GuidedSet(*found, GuidedSettings(n_samples=N, **settings), batch_size=16, seed=3)


def energy(signals):
    return signals.square().sum(dim=-1)


def test_shapes_and_peaks(found):
    batch = windows(found)[0]
    for signals in (batch.mixture, batch.references, batch.mimicry):
        assert signals.shape == (16, N)
        assert torch.allclose(signals.abs().amax(dim=-1), torch.ones(16), atol=1e-4)
    assert batch.positive.shape == batch.negative.shape == (16, 80, N // 256 + 1)
    assert batch.positive.min() >= 0
    assert torch.allclose(batch.negative.amax(dim=(1, 2)), torch.ones(16))
    assert set(batch.groups) == {"Piano", "Bass"}


def test_a_batch_depends_on_seed_and_number_alone(found):
    one, other = windows(found), windows(found)
    assert one.draw(5) == other.draw(5) != one.draw(6)
    assert replace(one, seed=4).draw(5) != one.draw(5)
    again = one.apply(other.draw(5))
    assert all(torch.equal(mine, yours) for mine, yours in zip(one[5][:6], again[:6], strict=True))


@pytest.mark.parametrize("balance", list(Balance))
def test_levels(found, balance):
    mixtures = windows(found, balance=balance)
    draws = mixtures.draw(0)
    batch = mixtures.apply(draws)
    target = batch.references * batch.gain[:, None]
    ratio = 10 * torch.log10(energy(target) / energy(batch.mixture - target))
    if balance is Balance.PEAKS:
        rest = (batch.mixture - target).abs().amax(dim=-1)
        assert torch.allclose(rest, target.abs().amax(dim=-1), atol=1e-3)
    else:
        wanted = torch.tensor([draw.snr_db for draw in draws])
        assert torch.allclose(ratio, wanted, atol=0.05)
        assert wanted.min() >= -5
        assert (wanted.max() <= 5) or balance is Balance.NORMAL


def test_backgrounds_come_from_other_tracks_and_are_as_many_as_asked_for(found):
    for draw in windows(found, n_background=(2, 3)).draw(1):
        song = draw.target.source.rsplit("/", 1)[0]
        others = {one.source.rsplit("/", 1)[0] for one in draw.background}
        assert song not in others
        assert len(others) == len(draw.background) in (2, 3)


def test_backgrounds_of_the_same_song_run_on_its_clock(found):
    for draw in windows(found, p_same_song=1.0).draw(1):
        song, stem = draw.target.source.rsplit("/", 1)
        others = {"piano", "bass", "drums"} - {stem}
        assert {one.source for one in draw.background} == {f"{song}/{other}" for other in others}
        assert {one.start for one in draw.background} == {draw.target.start}


def test_targets_that_rest_leave_their_imitation_silent_too(found):
    mixtures = windows(found, p_rest=0.5, p_silent=0.5)
    draws = mixtures.draw(0)
    batch = mixtures.apply(draws)
    assert {draw.rest == (0, N) for draw in draws} == {True, False}
    for draw, target, mimicry, positive in zip(draws, batch.references, batch.mimicry, batch.positive, strict=True):
        start, stop = draw.rest
        assert not target[start:stop].any()
        assert not mimicry[start:stop].any()
        if draw.rest == (0, N):
            assert not positive.any()
    assert torch.isfinite(batch.mixture).all()


def test_the_mask_lies_where_the_target_is(found):
    mixtures = windows(found)
    draws = [replace(draw, positive=replace(draw.positive, share=0.0)) for draw in mixtures.draw(0)]
    batch = mixtures.apply(draws)
    for group, mask in zip(batch.groups, batch.positive, strict=True):
        band = int(mask.sum(dim=1).argmax())  # pitches 60 to 71 have 262 to 494 Hz, two octaves lower 65 to 123 Hz
        assert 4 <= band <= 16 if group == "Piano" else band <= 4


def test_mimicry_is_moved_and_colored(found):
    draw = windows(found, max_shift=0.15, max_tilt_db=6.0, max_swell_db=6.0).draw(0)
    assert any(one.shift < 0 for one in draw)
    assert max(abs(one.shift) for one in draw) <= 0.15 * 16000
    assert all(abs(one.tilt_db) <= 6 and abs(one.swell_db) <= 6 for one in draw)
    samples = np.arange(1, 6, dtype=np.float32)
    assert shift(samples, -2).tolist() == [3, 4, 5, 0, 0]
    gate = rest_gate(2000, 1000, 1500)
    assert gate[500] == gate[1999] == 1
    assert not gate[1000:1500].any()
    assert 0.4 < gate[840] < 0.6
    time = np.arange(16000) / 16000
    for hertz, gain_db in ((500, -3.0), (1000, 0.0), (4000, 6.0)):
        wave = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        level = 10 * np.log10(np.mean(recolor(wave, tilt_db=3.0, swell_db=0.0) ** 2) / np.mean(wave**2))
        assert level == pytest.approx(gain_db, abs=0.1)


def test_weights_choose_tracks(found):
    heavy = replace(windows(found), weights={"tones_train/song-3": 1e6})
    assert {draw.target.source.split("/")[1] for draw in heavy.draw(0)} == {"song-3"}


def test_errors(found):
    melodies, sources = found
    with pytest.raises(DatasetError, match="no melody"):
        GuidedSet([], sources)
    with pytest.raises(DatasetError, match="two tracks"):
        GuidedSet(melodies, sources[:1])
    with pytest.raises(DatasetError, match="pack it at 16000"):
        GuidedSet(melodies, [*sources, replace(sources[0], name="slow", sample_rate=8000)])
    with pytest.raises(DatasetError, match="same name"):
        GuidedSet(melodies, [*sources, sources[0]])
    draw = windows(found).draw(0)[0]
    with pytest.raises(DatasetError, match="other data"):
        windows(found).apply([replace(draw, target=replace(draw.target, source="gone"))])
    for settings in ({"p_rest": 0.6, "p_silent": 0.6}, {"p_rest": 2.0}, {"snr_db": (1.0, 0.0)}, {"max_shift": -1.0}):
        with pytest.raises(DatasetError):
            GuidedSettings(**settings)
