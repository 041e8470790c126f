import numpy as np
import pytest
import soundfile

from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.folders import read_folder
from unbraid.datasets.pack import read_pack
from unbraid.datasets.packing import PackSettings, build_pack
from unbraid.errors import AudioReadError, DatasetError

RATE = 8000


def write(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples).T, rate, subtype="FLOAT")


def noise(seconds, *, n_channels=1, seed=0, rate=RATE):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, (n_channels, round(seconds * rate))).astype(np.float32)


@pytest.fixture
def songs(tmp_path):
    """Two songs: one whole, one whose bass is silent and whose drums stop early."""
    folder = tmp_path / "songs"
    for number, name in enumerate(("drums", "bass", "vocals")):
        write(folder / "A" / f"{name}.wav", noise(10, seed=number))
    write(folder / "B" / "drums.wav", np.concatenate([noise(8, seed=5), np.zeros((1, 16 * RATE))], axis=1))
    write(folder / "B" / "bass.wav", np.zeros((1, 24 * RATE)))
    write(folder / "B" / "gtr.wav", noise(24, seed=6))
    return folder


def sources_of(path):
    return {source.name.removeprefix("pack/"): source for source in read_pack(path)}


def test_songs_become_sources_and_music(songs, tmp_path):
    fractions = []
    report = build_pack(read_folder(songs), tmp_path / "pack", progress=fractions.append)
    made = sources_of(tmp_path / "pack")
    assert (report.n_sources, report.left_out) == (5, ("B/bass",))
    assert set(made) == {
        "A/drums",
        "A/bass",
        "A/vocals",
        "A/music-mix",
        "A/music-mix-instrumental",
        "B/drums",
        "B/gtr",
        "B/music-mix",
    }
    assert {made[name].track for name in made if name.startswith("A/")} == {"pack/A"}
    assert made["B/gtr"].prompt == "other"
    assert fractions == [0.5, 1.0]


def test_music_is_the_sum_of_the_stems(songs, tmp_path):
    build_pack(read_folder(songs), tmp_path / "pack")
    made = sources_of(tmp_path / "pack")
    stems = {name: made[f"A/{name}"].read(0, 1000) for name in ("drums", "bass", "vocals")}
    np.testing.assert_allclose(made["A/music-mix"].read(0, 1000), sum(stems.values()), atol=1e-5)
    np.testing.assert_allclose(
        made["A/music-mix-instrumental"].read(0, 1000), stems["drums"] + stems["bass"], atol=1e-5
    )


def test_instruments_are_drawn_where_they_sound(songs, tmp_path):
    build_pack(read_folder(songs), tmp_path / "pack")
    made = sources_of(tmp_path / "pack")
    assert max(stop for _, stop in made["B/drums"].spans) == 12 * RATE
    assert max(stop for _, stop in made["B/gtr"].spans) == 24 * RATE
    assert made["A/drums"].spans == ((0, 8 * RATE), (2 * RATE, 10 * RATE))


def test_activity_and_music_can_be_turned_off(songs, tmp_path):
    settings = PackSettings(activity=None, music_mixes=False)
    build_pack(read_folder(songs), tmp_path / "pack", settings=settings)
    made = sources_of(tmp_path / "pack")
    assert made["B/drums"].spans == ((0, 24 * RATE),)
    assert not any(source.prompt == "music-mix" for source in made.values())


def test_rates_channels_and_what_is_for_training_only(tmp_path):
    stereo = noise(2, n_channels=2)
    write(tmp_path / "set/speech/one.wav", stereo)
    write(tmp_path / "set/sfx/two.wav", noise(1, rate=48000), 48000)
    settings = PackSettings(sample_rate=16000, channel=ChannelChoice.RANDOM, train_only=("speech/",))
    build_pack(read_folder(tmp_path / "set"), tmp_path / "pack", settings=settings)
    made = sources_of(tmp_path / "pack")
    assert (made["speech/one"].n_channels, made["speech/one"].band_rate) == (2, 8000)
    assert (made["sfx/two"].n_channels, made["sfx/two"].band_rate) == (1, 16000)
    assert {source.sample_rate for source in made.values()} == {16000}
    assert (made["speech/one"].train_only, made["sfx/two"].train_only) == (True, False)


def test_ambiences_are_cut_into_windows_and_speech_is_not(tmp_path):
    write(tmp_path / "set/ambience/rain.wav", noise(20))
    write(tmp_path / "set/speech/book.wav", noise(20))
    build_pack(read_folder(tmp_path / "set"), tmp_path / "pack")
    made = sources_of(tmp_path / "pack")
    assert [start // RATE for start, _ in made["ambience/rain"].spans] == [0, 4, 8, 12]
    assert made["speech/book"].spans == ((0, 20 * RATE),)


def test_stems_of_different_rates_are_not_summed(tmp_path):
    write(tmp_path / "set/A/drums.wav", noise(2))
    write(tmp_path / "set/A/bass.wav", noise(2, rate=16000), 16000)
    build_pack(read_folder(tmp_path / "set"), tmp_path / "pack")
    assert set(sources_of(tmp_path / "pack")) == {"A/drums", "A/bass"}


def test_songs_with_speech_are_no_music(tmp_path):
    for name in ("drums", "bass", "speech"):
        write(tmp_path / f"set/A/{name}.wav", noise(2))
    build_pack(read_folder(tmp_path / "set"), tmp_path / "pack")
    assert set(sources_of(tmp_path / "pack")) == {"A/drums", "A/bass", "A/speech"}


def test_a_damaged_file_stops_the_work_and_leaves_nothing(songs, tmp_path):
    (songs / "B" / "gtr.wav").write_text("no audio")
    with pytest.raises(AudioReadError, match=r"gtr\.wav"):
        build_pack(read_folder(songs), tmp_path / "pack")
    assert [path.name for path in tmp_path.iterdir()] == ["songs"]


def test_only_silence_is_an_error(tmp_path):
    write(tmp_path / "set/sfx/a.wav", np.zeros((1, 100)))
    with pytest.raises(DatasetError, match="nothing was added"):
        build_pack(read_folder(tmp_path / "set"), tmp_path / "pack")
