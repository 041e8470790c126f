"""Waveforms and spectrograms in tiles: right, whole, and the same however the sound was cut into blocks."""

import numpy as np
import pytest
import torch

from unbraid.server import tiles
from unbraid.server.tiles import PeakWriter, SpectrogramWriter, count_records, read_tile

RATE = 44100


def peaks(folder, level, n_channels):
    """Return all bins of a level, [B, C, 2]."""
    data = (folder / f"peaks.{level}").read_bytes()
    return np.frombuffer(data, "<i2").reshape(-1, n_channels, 2)


def frames(folder, level=0):
    return np.frombuffer((folder / f"mel.{level}").read_bytes(), np.uint8).reshape(-1, tiles.N_BANDS)


def write(folder, samples, cuts, *, spectrogram=True):
    folder.mkdir()
    writers = [PeakWriter(folder)] + ([SpectrogramWriter(folder, sample_rate=RATE)] if spectrogram else [])
    for block in samples.split(cuts, dim=1):
        for writer in writers:
            writer.push(block)
    for writer in writers:
        writer.finish()


def test_peaks_are_the_lowest_and_highest_samples_at_every_level(tmp_path):
    samples = torch.randn(2, 300_001, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    write(tmp_path / "a", samples, 65_536, spectrogram=False)
    for level in range(tiles.N_LEVELS):
        size = tiles.PEAK_SAMPLES * tiles.FACTOR**level
        found = peaks(tmp_path / "a", level, 2)
        assert len(found) == -(-300_001 // size)
        for index in (0, len(found) // 2, len(found) - 1):
            part = samples[:, index * size : (index + 1) * size] * 32767
            expected = torch.stack([part.min(dim=1).values, part.max(dim=1).values], dim=1).round()
            assert np.array_equal(found[index], expected.numpy().astype(int))


def test_tiles_do_not_depend_on_how_the_sound_came(tmp_path):
    samples = 0.1 * torch.randn(1, 150_000, generator=torch.Generator().manual_seed(1))
    write(tmp_path / "a", samples, 150_000)
    write(tmp_path / "b", samples, [1, 4999, 70_000, 64, 74_936])
    for name in (path.name for path in (tmp_path / "a").iterdir()):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        if name.startswith("peaks"):
            assert one == other, name
        else:  # products of matrices round differently by their size
            pair = [np.frombuffer(data, np.uint8).astype(int) for data in (one, other)]
            assert len(one) == len(other)
            assert np.abs(pair[0] - pair[1]).max() <= 1


@pytest.mark.parametrize("hertz", [110.0, 440.0, 3000.0, 12_000.0])
def test_a_sine_lies_in_its_band_at_its_level(tmp_path, hertz):
    samples = 0.1 * torch.sin(2 * torch.pi * hertz * torch.arange(RATE, dtype=torch.float64) / RATE).float()
    write(tmp_path / "a", samples[None], 10_000)
    frame = frames(tmp_path / "a")[60].astype(float)
    mel = 2595 * np.log10(1 + hertz / 700)
    assert abs(frame.argmax() - (mel / tiles.MEL_STEP - 1)) < 1.5
    decibels = frame.max() / 255 * tiles.RANGE_DB - tiles.RANGE_DB
    assert decibels == pytest.approx(-20, abs=2.5)


def test_a_click_lies_in_its_frame(tmp_path):
    samples = torch.zeros(1, RATE)
    samples[0, RATE // 2] = 1.0
    write(tmp_path / "a", samples, 7000)
    found = frames(tmp_path / "a")
    assert len(found) == 126
    loud = np.flatnonzero(found.sum(axis=1))
    assert (loud[0] + loud[-1]) / 2 / tiles.FRAMES_PER_SECOND == pytest.approx(0.5, abs=0.009)


def test_upper_levels_keep_the_loudest(tmp_path):
    samples = 0.1 * torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(2))
    write(tmp_path / "a", samples, 30_000)
    below, above = frames(tmp_path / "a"), frames(tmp_path / "a", 1)
    assert len(above) == -(-len(below) // 4)
    assert np.array_equal(above[5], below[20:24].max(axis=0))


def test_silence_and_a_single_sample_have_tiles(tmp_path):
    write(tmp_path / "a", torch.zeros(1, 1), 1)
    assert count_records(tmp_path / "a", "peaks", n_channels=1) == [1] * tiles.N_LEVELS
    assert count_records(tmp_path / "a", "mel") == [1] * tiles.N_LEVELS
    assert not frames(tmp_path / "a").any()


def test_a_tile_is_a_slice_and_ends_with_what_is_there(tmp_path):
    samples = torch.zeros(2, tiles.PEAK_SAMPLES * (tiles.PEAK_TILE + 3))
    write(tmp_path / "a", samples, 50_000, spectrogram=False)
    size = tiles.record_bytes("peaks", n_channels=2)
    assert len(read_tile(tmp_path / "a", "peaks", 0, 0, n_channels=2)) == tiles.PEAK_TILE * size
    assert len(read_tile(tmp_path / "a", "peaks", 0, 1, n_channels=2)) == 3 * size
    for level, tile in ((0, 2), (0, -1), (7, 0), (-1, 0), (0, 1 << 40)):
        assert read_tile(tmp_path / "a", "peaks", level, tile, n_channels=2) == b""


def test_two_bands_are_one_row_of_a_mask():
    from unbraid.guides.mask_grid import rows_of

    centers = 700 * (10 ** (tiles.MEL_STEP * (torch.arange(160, dtype=torch.float64) + 1) / 2595) - 1)
    assert torch.allclose(rows_of(centers), torch.arange(160).double() / 2, atol=1e-3)
