"""MIDI files of all kinds become notes in seconds, and what is damaged is told from what is not."""

import random
import struct

import mido
import pytest

from unbraid.errors import GuideError
from unbraid.guides.midi import read_parts

BEAT = 480


def track(*messages, name=None):
    head = [] if name is None else [mido.MetaMessage("track_name", name=name)]
    return mido.MidiTrack([*head, *messages])


def note(pitch, *, after=0, lasting=BEAT, channel=0, velocity=100):
    return [
        mido.Message("note_on", note=pitch, velocity=velocity, channel=channel, time=after),
        mido.Message("note_off", note=pitch, channel=channel, time=lasting),
    ]


def save(tmp_path, *tracks, kind=1):
    file = mido.MidiFile(type=kind, ticks_per_beat=BEAT, tracks=list(tracks))
    file.save(tmp_path / "a.mid")
    return tmp_path / "a.mid"


def test_the_tempo_map_of_the_first_track_rules_all(tmp_path):
    tempo = [mido.MetaMessage("set_tempo", tempo=at, time=when) for at, when in ((1_000_000, 0), (250_000, BEAT))]
    path = save(tmp_path, track(*tempo), track(*note(60), *note(62, after=BEAT), name="Flute"))
    (part,) = read_parts(path)
    assert [(one.start, one.stop) for one in part.notes] == [(0.0, 1.0), (1.25, 1.5)]
    assert (part.track, part.name, part.channel, part.is_drum) == (1, "Flute", 0, False)


def test_tracks_of_the_same_channel_keep_their_notes_apart(tmp_path):
    path = save(tmp_path, track(*note(60, lasting=4 * BEAT), name="a"), track(*note(60, after=BEAT), name="b"))
    first, second = read_parts(path)
    assert [one.notes[0].duration for one in (first, second)] == [2.0, 0.5]


def test_channels_programs_and_volume(tmp_path):
    changes = [
        mido.Message("program_change", program=40, channel=2),
        mido.Message("control_change", control=7, value=50, channel=2),
    ]
    path = save(tmp_path, track(*note(60, channel=2), *changes, *note(62, channel=2), *note(36, channel=9)), kind=0)
    before, after, drums = read_parts(path)
    assert [(one.channel, one.program, one.is_drum) for one in (before, after, drums)] == [
        (2, 0, False),
        (2, 40, False),
        (9, 0, True),
    ]
    assert (before.notes[0].velocity, after.notes[0].velocity) == (100, 50)


def test_a_note_that_never_ends_lasts_until_the_end(tmp_path):
    path = save(tmp_path, track(note(60)[0], mido.MetaMessage("end_of_track", time=10 * BEAT)))
    assert read_parts(path)[0].notes[0].duration == 5.0


def raw(tmp_path, body, *, division=BEAT, kind=0):
    body += b"\x00\xff\x2f\x00"
    data = b"MThd" + struct.pack(">IHHH", 6, kind, 1, division) + b"MTrk" + struct.pack(">I", len(body)) + body
    (tmp_path / "raw.mid").write_bytes(data)
    return tmp_path / "raw.mid"


def test_running_status_and_silent_strokes(tmp_path):
    (part,) = read_parts(raw(tmp_path, bytes([0, 0x90, 60, 90, 96, 60, 0, 0, 64, 80, 96, 64, 0])))
    assert [(one.pitch, one.velocity, one.start) for one in part.notes] == [(60, 90, 0.0), (64, 80, 0.1)]


@pytest.mark.parametrize(("division", "seconds"), [(0xE728, 0.1), (0xE250, 100 / 2400), (0xE301, 100 * 1.001 / 30)])
def test_film_clocks_count_frames(tmp_path, division, seconds):
    (part,) = read_parts(raw(tmp_path, bytes([0, 0x90, 60, 90, 100, 60, 0]), division=division))
    assert part.notes[0].duration == pytest.approx(seconds)


def test_a_file_without_notes_has_no_parts(tmp_path):
    assert read_parts(save(tmp_path, track(name="nothing"))) == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be read as MIDI"),
        (b"MThd", "cannot be read as MIDI"),
        (b"RIFF" + bytes(100), "cannot be read as MIDI"),
    ],
)
def test_what_is_no_midi(tmp_path, data, message):
    (tmp_path / "a.mid").write_bytes(data)
    with pytest.raises(GuideError, match=rf"a\.mid: {message} .*export it again"):
        read_parts(tmp_path / "a.mid")


def test_what_has_no_place_or_no_time(tmp_path):
    with pytest.raises(GuideError, match="there is no such file"):
        read_parts(tmp_path / "none.mid")
    with pytest.raises(GuideError, match="save it as format 1"):
        read_parts(raw(tmp_path, b"", kind=2))
    with pytest.raises(GuideError, match="clock stands still"):
        read_parts(raw(tmp_path, b"", division=0))


def test_damage_anywhere_is_a_guide_error_or_other_notes(tmp_path):
    whole = save(tmp_path, track(*note(60), *note(62), *note(64), name="Flute")).read_bytes()
    chance = random.Random(0)
    refused = 0
    for _ in range(100):
        data = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(min(len(data), chance.randrange(1, 5))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "b.mid").write_bytes(bytes(data))
        try:
            read_parts(tmp_path / "b.mid")
        except GuideError:
            refused += 1
    assert 0 < refused < 100
