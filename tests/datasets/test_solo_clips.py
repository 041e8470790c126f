"""Clips of solo recordings: what is silence, where is cut, who is held out, and what a batch is a function of."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.pack import PackWriter
from unbraid.datasets.solo_clips import (
    LSB,
    ClipSettings,
    HeldOutClips,
    SoloClips,
    cut_clips,
    open_solos,
    split_clips,
)
from unbraid.errors import DatasetError

RATE = 22050
PLAIN = ClipSettings(noise=False)


def tone(seconds, rate=RATE, level=0.3):
    return (level * np.sin(np.arange(round(seconds * rate)) * 440 * 2 * np.pi / rate)).astype(np.float32)


def write(path, samples, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of recordings of many kinds, in folders."""
    root = tmp_path / "guitar"
    write(root / "a.wav", tone(12))
    write(root / "deep" / "er" / "b.flac", np.stack([tone(8, 44100), np.zeros(8 * 44100, np.float32)], axis=1), 44100)
    write(root / "c.ogg", tone(6, 48000), 48000)
    write(root / "silent.wav", np.zeros(4 * RATE, np.float32))
    write(root / ".hidden" / "d.wav", tone(9))
    return root


def seconds_of(source):
    return sum(stop - start for start, stop in source.spans) / source.sample_rate


def test_a_folder_is_read_whatever_is_in_it(folder):
    found = open_solos([folder], source="guitar")
    assert sorted(source.name for source in found) == ["guitar/a.wav", "guitar/c.ogg", "guitar/deep/er/b.flac"]
    assert {source.prompt for source in found} == {"guitar"}
    learned, tested = split_clips(found, PLAIN)
    b = next(clip for clip in (*learned, *tested) if clip.source.name.endswith("b.flac"))
    batch = SoloClips((b,), PLAIN, batch_size=1)[0]
    assert batch.mixture.shape == (1, 5 * RATE)
    assert float(batch.mixture.abs().max()) == pytest.approx(0.15, rel=0.01)  # mono is the mean, nothing is normalized


def test_silence_is_shortened_to_a_second(tmp_path):
    gap = np.zeros(3 * RATE, np.float32)
    quiet = tone(3, level=10 ** (-53 / 20))
    write(
        tmp_path / "x" / "a.wav",
        np.concatenate([gap, tone(2), gap, tone(2), quiet, tone(1), gap[: RATE // 2], tone(1)]),
    )
    (source,) = open_solos([tmp_path / "x"], source="bass")
    assert seconds_of(source) == pytest.approx(1 + 2 + 1 + 2 + 1 + 1 + 0.5 + 1, abs=0.1)
    (spans,) = [source.spans]
    assert spans[0] == (0, pytest.approx(RATE, abs=1000))
    louder = ClipSettings(silence_db=-60.0)
    assert seconds_of(open_solos([tmp_path / "x"], source="bass", settings=louder)[0]) > 11


def test_a_clip_reads_over_what_was_left_out(tmp_path):
    ramp = np.linspace(0.1, 0.5, 4 * RATE, dtype=np.float32)
    write(tmp_path / "x" / "a.wav", np.concatenate([ramp, np.zeros(4 * RATE, np.float32), ramp]), subtype="FLOAT")
    (source,) = open_solos([tmp_path / "x"], source="bass")
    first, second = cut_clips(source, PLAIN)
    whole = np.concatenate([source.read(start, stop) for start, stop in source.spans])
    assert np.array_equal(first.read(0, 5 * RATE), whole[: 5 * RATE])
    assert np.array_equal(second.read(100, 300), whole[len(whole) - 5 * RATE :][100:300])


def test_clips_are_cut_as_published(tmp_path):
    write(tmp_path / "x" / "a.wav", tone(61))
    write(tmp_path / "x" / "b.wav", tone(3.5))
    write(tmp_path / "x" / "c.wav", tone(2.5))
    settings = ClipSettings(seconds=(7.0, 10.0))
    sources = {source.name[-5:]: source for source in open_solos([tmp_path / "x"], source="bass", settings=settings)}
    clips = cut_clips(sources["a.wav"], settings)
    lengths = [(clip.stop - clip.start) / RATE for clip in clips]
    assert all(7 <= length <= 10 for length in lengths)
    assert len(set(lengths)) > 1
    assert clips[-1].stop == sources["a.wav"].n_samples
    assert all(one.stop == other.start for one, other in pairwise(clips[:-1]))
    assert clips == cut_clips(sources["a.wav"], settings)
    assert [clip.stop - clip.start for clip in cut_clips(sources["b.wav"], settings)] == [round(3.5 * RATE)]
    assert cut_clips(sources["c.wav"], settings) == []


def test_files_are_held_out_by_their_names(tmp_path):
    for number in range(40):
        write(tmp_path / "x" / f"{number}.wav", tone(5.0), RATE // 2)
    sources = open_solos([tmp_path / "x"], source="bass")
    learned, tested = split_clips(sources, PLAIN, held_out=0.1)
    names = {clip.source.name for clip in tested}
    assert 1 <= len(names) <= 10
    assert not names & {clip.source.name for clip in learned}
    fewer = [source for source in sources if source.name not in sorted(names)[1:]]
    assert {clip.source.name for clip in split_clips(fewer, PLAIN, held_out=0.1)[1]} == {min(names)}
    assert len({clip.source.name for clip in split_clips(sources[:2], PLAIN, held_out=0.0)[1]}) == 1


def test_of_a_single_recording_the_end_is_held_out(tmp_path):
    write(tmp_path / "x" / "a.wav", tone(17))
    learned, tested = split_clips(open_solos([tmp_path / "x"], source="bass"), PLAIN)
    assert [clip.stop for clip in tested] == [17 * RATE]
    assert [clip.stop for clip in learned] == [5 * RATE, 10 * RATE]
    write(tmp_path / "y" / "a.wav", tone(4))
    with pytest.raises(DatasetError, match="1 clips of 3 s or more are too few"):
        split_clips(open_solos([tmp_path / "y"], source="bass"), PLAIN)


def test_packs_give_the_stems_of_the_source(tmp_path):
    with PackWriter(tmp_path / "packs" / "solo", sample_rate=RATE) as writer:
        for name, label in (("a", "electric guitar"), ("b", "acoustic guitar"), ("c", "bass")):
            writer.add(name, Audio(torch.from_numpy(tone(6))[None], RATE), prompt=label, track=name)
    for path in (tmp_path / "packs", tmp_path / "packs" / "solo"):
        assert [source.name for source in open_solos([path], source="guitar")] == ["solo/a", "solo/b"]
    assert [source.name for source in open_solos([tmp_path / "packs"], source="acoustic guitar")] == ["solo/b"]
    with pytest.raises(DatasetError, match=r"no recording: give --data .* of 'vocals'"):
        open_solos([tmp_path / "packs"], source="vocals")


def test_batches_are_functions_of_their_number(folder):
    learned, _ = split_clips(open_solos([folder], source="guitar"), PLAIN)
    settings = ClipSettings(crop=0.5, gain_db=(-6.0, 0.0))
    batches, again = (SoloClips(learned, settings, batch_size=3) for _ in range(2))
    later = again[7]
    assert torch.equal(batches[7].mixture, later.mixture)
    assert not torch.equal(batches[7].mixture, batches[8].mixture)
    assert not torch.equal(batches[7].mixture, SoloClips(learned, settings, batch_size=3, seed=1)[7].mixture)
    assert later.mixture.shape == (3, RATE // 2)
    peaks = torch.cat([batches[number].mixture.abs().amax(dim=1) for number in range(8)])
    assert 0.07 < float(peaks.min()) < 0.2 < float(peaks.max()) <= 0.31


def test_an_epoch_takes_every_clip_once(folder):
    learned, _ = split_clips(open_solos([folder], source="guitar"), PLAIN)
    marked = tuple(replace(clip, stop=clip.start + 1000 + index) for index, clip in enumerate(7 * [learned[0]]))
    batches = SoloClips(marked, PLAIN, batch_size=2)
    n_batches = len(marked) // 2
    for epoch in range(2):
        lengths = [batches[epoch * n_batches + index].lengths for index in range(n_batches)]
        assert len(set(torch.cat(lengths).tolist())) == 2 * n_batches


def test_shorter_clips_are_filled_and_counted(folder):
    learned, _ = split_clips(open_solos([folder], source="guitar"), PLAIN)
    short = replace(learned[0], stop=learned[0].start + learned[0].source.sample_rate)
    batch = HeldOutClips((learned[0], short), ClipSettings())[0]
    assert batch.lengths.tolist() == [5 * RATE, RATE]
    assert not batch.mixture[1, RATE:].any()
    assert batch.mixture[1, :RATE].abs().min() >= 0


def test_noise_is_less_than_one_step_of_16_bits(folder):
    learned, _ = split_clips(open_solos([folder], source="guitar"), PLAIN)
    plain = SoloClips(learned, PLAIN, batch_size=2)[0].mixture
    steps = (SoloClips(learned, ClipSettings(), batch_size=2)[0].mixture - (plain / LSB).round() * LSB) / LSB
    assert 0 <= float(steps.min()) < 0.01
    assert 0.99 < float(steps.max()) <= 1
    assert float(steps.mean()) == pytest.approx(0.5, abs=0.01)


def test_held_out_clips_are_spread_and_always_the_same(folder):
    learned, _ = split_clips(open_solos([folder], source="guitar"), PLAIN)
    held = HeldOutClips(learned * 5, ClipSettings(), batch_size=2, most=5)
    assert len(held) == 3
    assert [len(batch.lengths) for batch in held] == [2, 2, 1]
    assert torch.equal(held[1].mixture, held[1].mixture)
    with pytest.raises(IndexError):
        held[3]


@pytest.mark.parametrize(
    "change",
    [{"seconds": (2.0, 5.0)}, {"seconds": (6.0, 5.0)}, {"crop": 0.0}, {"gain_db": (3.0, 0.0)}, {"pause": -1.0}],
)
def test_settings_that_make_no_sense_are_refused(change):
    with pytest.raises(DatasetError, match=r"make|makes"):
        ClipSettings(**change)


def test_errors_name_what_is_wrong(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        open_solos([tmp_path / "nowhere"], source="bass")
    with pytest.raises(DatasetError, match="nothing to learn 'bass' from: give --data"):
        open_solos([], source="bass")
    with pytest.raises(DatasetError, match="'AC/DC' cannot be the name"):
        open_solos([tmp_path], source="AC/DC")
    write(tmp_path / "silent" / "a.wav", 0 * tone(4))
    with pytest.raises(DatasetError, match="silent: 1 recordings, all silent"):
        open_solos([tmp_path / "silent"], source="bass")
    with pytest.raises(DatasetError, match="this is a file: give a folder"):
        open_solos([tmp_path / "silent" / "a.wav"], source="bass")
    broken = tmp_path / "x" / "a.wav"
    broken.parent.mkdir()
    broken.write_bytes(b"RIFF no sound")
    with pytest.raises(DatasetError, match=r"a\.wav: cannot be read as it is .* take it out of the folder"):
        open_solos([tmp_path / "x"], source="bass")
    with pytest.raises(DatasetError, match="no clips"):
        SoloClips(())
