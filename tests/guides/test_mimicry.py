"""Recordings and scores become mimicry on the mixture's clock, and what holds no melody is refused before any work."""

import mido
import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.melody import melody_of
from unbraid.guides.mimicry import ClockedMimicry, Mimicry, Score, place, read_mimicry
from unbraid.guides.notes import Note
from unbraid.guides.tones import render_tones

RATE = 16000
LEAD = [Note(0.4 * at, 0.4, 55 + at * at % 31 // 2, 100) for at in range(30)]
SONG = render_tones(LEAD, sample_rate=RATE)[None]
HUM = Audio(SONG[:, 3 * RATE : 7 * RATE], RATE)


def midi(tmp_path, *tracks, kind=1):
    """Write tracks, each a name and pairs of a pitch and a channel, as notes of half a second."""
    file = mido.MidiFile(type=kind)
    for name, notes in tracks:
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
        for pitch, channel in notes:
            track.append(mido.Message("note_on", note=pitch, velocity=100, channel=channel))
            track.append(mido.Message("note_off", note=pitch, channel=channel, time=480))
        file.tracks.append(track)
    file.save(tmp_path / "song.mid")
    return tmp_path / "song.mid"


BAND = [("", []), ("Lead", [(72, 0), (74, 0)]), ("Bass", [(40, 1)]), ("Kit", [(36, 9)] * 3), ("lead", [(60, 2)])]


def test_what_may_be_given(tmp_path):
    assert Mimicry("hum.wav").offset == 0.0
    assert Mimicry("hum.wav", offset=None).offset is None
    assert Mimicry(tmp_path / "my hum.wav", offset=-2).title == "my hum"
    assert (Mimicry(HUM).title, Score("a/b.mid").title) == ("mimicry", "b")
    assert Mimicry(([0.5, 0.0], 8000)).recording.sample_rate == 8000
    assert Score("b.mid", track=3, offset=1).offset == 1.0


@pytest.mark.parametrize("offset", [float("nan"), float("inf"), "3", True])
@pytest.mark.parametrize("kind", [Mimicry, Score])
def test_an_offset_is_a_finite_number(kind, offset):
    with pytest.raises(GuideError, match="no number of seconds"):
        kind("a.mid", offset=offset)


def test_what_is_neither_recording_nor_score():
    with pytest.raises(GuideError, match="int is no recording"):
        Mimicry(3)
    with pytest.raises(GuideError, match="no recording"):
        Mimicry(([1, 2], 8000))
    with pytest.raises(GuideError, match="bytes is no score"):
        Score(b"a.mid")
    for track in (0, -1, "", " ", True, 1.5):
        with pytest.raises(GuideError, match="neither a number from 1 nor a name"):
            Score("a.mid", track=track)


def test_a_file_is_read_and_its_channels_averaged(tmp_path):
    both = torch.cat([HUM.samples, 3 * HUM.samples])
    write_audio(tmp_path / "hum.wav", Audio(both, RATE), encoding=Encoding("wav", "float"))
    read = read_mimicry(Mimicry(tmp_path / "hum.wav", offset=2.5), target="lead")
    torch.testing.assert_close(read.recording.samples, 2 * HUM.samples)
    assert (read.recording.sample_rate, read.offset) == (RATE, 2.5)


def test_recordings_without_a_melody(tmp_path):
    (tmp_path / "damaged.wav").write_bytes(b"RIFF1234WAVEjunk")
    broken = HUM.samples.clone()
    broken[0, 100] = float("nan")
    noise = torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(0))
    cases = [
        (tmp_path / "none.wav", r"mimicry .*none\.wav: there is no such file"),
        (tmp_path / "damaged.wav", r"mimicry .*damaged\.wav"),
        (tmp_path / "tune.MID", "is MIDI: give it as a score"),
        (Audio(torch.zeros(1, 0), RATE), "mimicry is empty"),
        (Audio(broken, RATE), "no finite numbers"),
        (Audio(torch.full((1, RATE), 5e-5), RATE), "mimicry is silent: check the microphone"),
        (Audio(torch.cat([HUM.samples, -HUM.samples]), RATE), "mimicry is silent"),
        (Audio(noise, RATE), "no pitch that lasts"),
    ]
    for given, message in cases:
        with pytest.raises(GuideError, match=f"target 'lead': .*{message}|target 'lead': {message}") as caught:
            read_mimicry(Mimicry(given), target="lead")
        assert "\n" not in str(caught.value)


def test_a_score_is_played_on_its_own_clock(tmp_path):
    path = midi(tmp_path, ("Lead", [(69, 0), (72, 0)]))
    read = read_mimicry(Score(path, offset=-1), target="lead")
    assert (read.offset, read.recording.sample_rate, read.recording.n_channels) == (-1.0, RATE, 1)
    expected = render_tones([Note(0, 0.5, 69, 100), Note(0.5, 0.5, 72, 100)], sample_rate=RATE)
    torch.testing.assert_close(read.recording.samples[0], expected)


@pytest.mark.parametrize(
    ("track", "pitches"), [(1, [72, 74]), ("bass", [40]), (" Bass ", [40]), ("2", [40]), (4, [60])]
)
def test_tracks_are_chosen_by_number_or_name(tmp_path, track, pitches):
    played = read_mimicry(Score(midi(tmp_path, *BAND), track=track), target="lead").recording.samples[0]
    notes = [Note(at / 2, 0.5, pitch, 100) for at, pitch in enumerate(pitches)]
    torch.testing.assert_close(played, render_tones(notes, sample_rate=RATE))


@pytest.mark.parametrize(
    ("track", "message"),
    [
        (None, r"has 4 tracks: choose one with Score\(…, track=…\) or --track"),
        (5, "has no track 5"),
        ("Violin", "has no track 'Violin'"),
        ("LEAD", "has 2 tracks of the name 'LEAD': choose one by number"),
    ],
)
def test_who_does_not_choose_a_track_is_shown_all(tmp_path, track, message):
    with pytest.raises(GuideError, match=f"target 'lead': score .*song.mid {message}") as caught:
        read_mimicry(Score(midi(tmp_path, *BAND), track=track), target="lead")
    listing = "1 'Lead' (2 notes), 2 'Bass' (1 note), 3 'Kit' (3 notes, drums), 4 'lead' (1 note)"
    assert str(caught.value).endswith(listing)


def test_one_track_of_many_channels_is_split(tmp_path):
    path = midi(tmp_path, ("Song", [(60, 0), (62, 3), (64, 3)]), kind=0)
    with pytest.raises(GuideError, match=r"1 'Song channel 1' \(1 note\), 2 'Song channel 4' \(2 notes\)"):
        read_mimicry(Score(path), target="lead")
    assert read_mimicry(Score(path, track="song channel 4"), target="lead").recording.duration > 1


def test_drums_are_passed_over_and_cannot_be_played(tmp_path):
    path = midi(tmp_path, ("Kit", [(36, 9)] * 3), ("Flute", [(72, 0)]))
    assert float(read_mimicry(Score(path), target="lead").recording.samples[0, : RATE // 3].abs().max()) > 0.05
    with pytest.raises(GuideError, match="is drums, which have no pitch"):
        read_mimicry(Score(path, track="kit"), target="lead")
    with pytest.raises(GuideError, match="is drums, which have no pitch"):
        read_mimicry(Score(midi(tmp_path, ("Kit", [(36, 9)]))), target="lead")


def test_scores_that_cannot_be_played(tmp_path):
    with pytest.raises(GuideError, match=r"target 'lead': score .*song\.mid has no notes"):
        read_mimicry(Score(midi(tmp_path, ("Lead", []))), target="lead")
    with pytest.raises(GuideError, match="too soft or too high"):
        read_mimicry(Score(midi(tmp_path, ("Lead", [(127, 0)]))), target="lead")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    with pytest.raises(GuideError, match=r"target 'lead': score .*bad\.mid: cannot be read as MIDI"):
        read_mimicry(Score(tmp_path / "bad.mid"), target="lead")
    long = mido.MidiFile(ticks_per_beat=1, tracks=[mido.MidiTrack([mido.Message("note_on", note=60, time=40000)])])
    long.tracks[0].append(mido.Message("note_off", note=60, time=1))
    long.save(tmp_path / "long.mid")
    with pytest.raises(GuideError, match=r"5\.6 hours long"):
        read_mimicry(Score(tmp_path / "long.mid"), target="lead")


def test_a_place_is_found_however_the_mixture_comes():
    hum = Mimicry(HUM, offset=None)
    for mixture in (SONG.split(10000, dim=1), lambda: iter([SONG]), melody_of([SONG], RATE)):
        found = place(hum, mixture, RATE, target="lead")
        assert found.offset == pytest.approx(3, abs=0.02)
        assert found.recording is HUM


def test_a_known_offset_is_kept_unheard():
    def never():
        raise AssertionError

    hum = Mimicry(HUM, offset=1.5)
    assert place(hum, never, RATE, target="lead") is hum


def test_what_fits_nowhere_asks_for_the_offset():
    other = render_tones([Note(0.3 * at, 0.3, 70 - at * 7 % 13, 100) for at in range(20)], sample_rate=RATE)
    with pytest.raises(GuideError, match=r"target 'lead': the mimicry fits nowhere clearly .*with --at or offset"):
        place(Mimicry((other, RATE), offset=None), [SONG], RATE, target="lead")
    with pytest.raises(GuideError, match="it is as long as the mixture: leave --at out"):
        place(Mimicry((other, RATE), offset=None), [SONG[:, : len(other)]], RATE, target="lead")
    with pytest.raises(GuideError, match="empty or silent"):
        place(Mimicry(HUM, offset=None), [], RATE, target="lead")
    with pytest.raises(GuideError, match="has not been read yet"):
        place(Mimicry("hum.wav", offset=None), [SONG], RATE, target="lead")


@pytest.mark.parametrize("offset", [0.0, 2.0, -1.0])
def test_windows_lie_on_the_clock_of_the_mixture(offset):
    clock = ClockedMimicry(Mimicry(HUM, offset=offset), sample_rate=RATE)
    shift = round(offset * RATE)
    padded = torch.zeros(20 * RATE)
    padded[5 * RATE + shift : 5 * RATE + shift + HUM.n_samples] = HUM.samples[0]
    for start in (-3 * RATE, -1000, 0, 777, 3 * RATE, 12 * RATE):
        window = clock.crop(start, 2 * RATE)
        torch.testing.assert_close(window, padded[5 * RATE + start : 5 * RATE + start + 2 * RATE])
    assert clock.crop(0, 0).shape == (0,)


def test_the_clock_has_its_own_rate():
    clock = ClockedMimicry(Mimicry(Audio(HUM.samples.repeat(2, 1), RATE), offset=0.5), sample_rate=8000)
    assert clock.samples.shape == (HUM.n_samples // 2,)
    assert clock.start_sample == 4000
    with pytest.raises(GuideError, match="has not been found yet"):
        ClockedMimicry(Mimicry(HUM, offset=None), sample_rate=RATE)
    with pytest.raises(GuideError, match="has not been read yet"):
        ClockedMimicry(Mimicry("a.wav"), sample_rate=RATE)
