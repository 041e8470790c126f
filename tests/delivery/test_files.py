import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio, write_audio
from unbraid.audio.signal import Audio
from unbraid.audio.writing import AudioWriter
from unbraid.delivery import DeliveryOptions, separate_file
from unbraid.errors import AudioReadError, AudioWriteError, Cancelled, GuideError, ModelError, SettingsError
from unbraid.guides.kinds import Examples, Label, Prompts, Target, unique_names
from unbraid.models.separator import Estimates, Separator
from unbraid.separation import Settings
from unbraid.zoo import debug_model, save_weights

RATE = 8000
BOTH = Prompts("a b")


class FakeCondition:
    groups = ()

    def __init__(self, names):
        self.names = names

    def crop(self, start, stop):
        del start, stop
        return self


class Fake(Separator):
    """Stem i is the mixture times gain i."""

    def __init__(self, gains=(0.37, 0.21), *, fail_at=None, act=None):
        super().__init__()
        self.gains = nn.Parameter(torch.tensor(gains))
        self.sample_rate, self.segment = RATE, 0.1
        self.accepts, self.vocabulary = frozenset({Label, Prompts}), ("a", "b")
        self.fail_at, self.act, self.n_windows = fail_at, act, 0

    def condition(self, targets):
        return FakeCondition(unique_names([target.name for target in targets]))

    def forward(self, mixture, condition):
        self.n_windows += 1
        if self.n_windows == self.fail_at:
            raise self.act
        n_stems = len(condition.names)
        stems = mixture[:, None] * self.gains[:n_stems, None, None]
        return Estimates(stems, torch.full((len(mixture), n_stems), 0.5))


def noise(n_channels, n_samples, *, level=0.9, seed=0):
    return level * (torch.rand(n_channels, n_samples, generator=torch.Generator().manual_seed(seed)) * 2 - 1)


@pytest.fixture
def song(tmp_path):
    return make_song(tmp_path / "song.wav")


def make_song(path, *, depth="16", level=0.9, n_samples=5000, seed=0):
    samples = noise(2, n_samples, level=level, seed=seed)
    write_audio(path, Audio(samples, RATE), encoding=Encoding("wav", depth))
    return path


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*"))


def integers(path):
    """Samples as 32-bit integers, as they are in the file."""
    return soundfile.read(path, dtype="int32", always_2d=True)[0].astype(np.int64)


def test_stems_residual_and_manifest(song, tmp_path):
    out = tmp_path / "deep" / "out"
    seen = []
    manifest = separate_file(song, BOTH, out, model=Fake(), progress=seen.append)
    assert tree(out) == ["song", "song/a.wav", "song/b.wav", "song/manifest.json", "song/residual.wav"]
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert seen.count(1.0) == 1
    stored = json.loads((out / "song" / "manifest.json").read_text(encoding="utf-8"))
    assert stored == manifest.to_dict()
    assert stored["input"] == {
        "name": "song.wav",
        "sample_rate": RATE,
        "n_channels": 2,
        "n_samples": 5000,
        "duration": 0.625,
    }
    assert stored["model"] == "Fake"
    assert stored["provenance"]["settings"]["overlap"] == 0.25
    assert not manifest.skipped
    for record in manifest.outputs:
        audio = read_audio(out / "song" / record.file)
        assert audio.samples.shape == (2, 5000)
        assert audio.sample_rate == RATE
        assert record.rms_db == pytest.approx(10 * np.log10(float(audio.samples.double().square().mean())), abs=0.01)
        assert record.peak_db == pytest.approx(20 * np.log10(float(audio.samples.abs().max())), abs=0.01)
        assert record.size_bytes == (out / "song" / record.file).stat().st_size
        assert (record.duration, record.n_samples) == (0.625, 5000)
    assert [record.presence for record in manifest.outputs] == [0.5, 0.5, None]
    torch.testing.assert_close(
        read_audio(out / "song" / "a.wav").samples, read_audio(song).samples * 0.37, rtol=0, atol=1 / 32768
    )


@pytest.mark.parametrize("depth", ["16", "24"])
@pytest.mark.parametrize("container", ["wav", "flac"])
def test_integer_files_add_up_to_the_bit(tmp_path, depth, container):
    song = make_song(tmp_path / "song.wav", depth=depth)
    manifest = separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=DeliveryOptions(container=container))
    folder = manifest.path.parent
    assert all((record.container, record.depth) == (container, depth) for record in manifest.outputs)
    total = sum(integers(folder / record.file) for record in manifest.outputs)
    assert np.array_equal(total, integers(song))


def test_a_finer_input_adds_up_to_the_mixture_on_the_grid(tmp_path):
    song = make_song(tmp_path / "song.wav", depth="float")
    manifest = separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=DeliveryOptions(depth="16"))
    total = sum(integers(manifest.path.parent / record.file) for record in manifest.outputs) >> 16
    assert np.array_equal(total, torch.round(read_audio(song).samples * 32768).long().numpy().T)


def test_float_files_add_up(tmp_path):
    song = make_song(tmp_path / "song.wav", depth="float", level=30.0)
    manifest = separate_file(song, BOTH, tmp_path / "out", model=Fake())
    assert {record.depth for record in manifest.outputs} == {"float"}
    total = sum(read_audio(manifest.path.parent / record.file).samples.double() for record in manifest.outputs)
    torch.testing.assert_close(total, read_audio(song).samples.double(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("container", ["ogg", "mp3"])
def test_lossy_files(song, tmp_path, container):
    manifest = separate_file(song, BOTH, tmp_path, model=Fake(), options=DeliveryOptions(container=container))
    assert [record.file for record in manifest.outputs] == [f"{name}.{container}" for name in ("a", "b", "residual")]
    assert all(read_audio(manifest.path.parent / record.file).n_samples == 5000 for record in manifest.outputs)


def test_too_loud_a_stem_becomes_float_with_a_warning(song, tmp_path):
    manifest = separate_file(song, BOTH, tmp_path, model=Fake((2.0, 0.1)), options=DeliveryOptions(container="flac"))
    loud, quiet = manifest.stems
    assert (loud.file, loud.container, loud.depth) == ("a.wav", "wav", "float")
    assert (quiet.file, quiet.container, quiet.depth) == ("b.flac", "flac", "16")
    assert loud.warning.startswith(f"{tmp_path}/song/a.flac: exceeds full scale")
    assert ".part" not in loud.warning
    assert manifest.warnings[0] == loud.warning
    total = sum(read_audio(manifest.path.parent / record.file).samples for record in manifest.outputs)
    assert torch.equal(total, read_audio(song).samples)


FLAC = DeliveryOptions(container="flac", residual=False)


def test_a_stand_in_replaces_the_older_file_of_its_stem_and_the_other_way_round(song, tmp_path):
    out = tmp_path / "out"
    separate_file(song, BOTH, out, model=Fake((0.5, 0.1)), options=FLAC)
    separate_file(song, BOTH, out, model=Fake((2.0, 0.1)), options=FLAC)
    assert tree(out / "song") == ["a.wav", "b.flac", "manifest.json"]
    separate_file(song, BOTH, out, model=Fake((0.5, 0.1)), options=FLAC)
    assert tree(out / "song") == ["a.flac", "b.flac", "manifest.json"]


def test_files_that_are_not_older_forms_of_new_ones_stay(song, tmp_path):
    out = tmp_path / "out"
    (out / "song").mkdir(parents=True)
    (out / "song" / "a.flac").write_text("of the user")
    separate_file(song, BOTH, out, model=Fake((2.0, 0.1)), options=FLAC)
    assert tree(out / "song") == ["a.flac", "a.wav", "b.flac", "manifest.json"]  # no manifest lists it
    first = separate_file(song, BOTH, tmp_path / "two", model=Fake(), options=FLAC).path.parent
    separate_file(song, BOTH, tmp_path / "two", model=Fake())  # another format, asked for
    assert tree(first) == ["a.flac", "a.wav", "b.flac", "b.wav", "manifest.json", "residual.wav"]


def test_a_file_that_would_be_replaced_is_refused_as_an_input(song, tmp_path):
    first = separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=FLAC).path.parent
    options = replace(FLAC, protected=(first / "b.flac",))
    for given in (first / "a.flac", song):
        with pytest.raises(AudioWriteError, match=r"\.flac: a stem would overwrite this input"):
            separate_file(given, BOTH, tmp_path / "out", model=Fake((3.0, 3.0)), options=options, track="song")
    assert tree(first) == ["a.flac", "b.flac", "manifest.json"]


def test_insisting_fails_and_leaves_nothing(song, tmp_path):
    options = DeliveryOptions(container="flac", insist=True)
    with pytest.raises(AudioWriteError, match="exceeds full scale") as caught:
        separate_file(song, BOTH, tmp_path / "out", model=Fake((2.0, 0.1)), options=options)
    assert str(tmp_path / "out" / "song" / "a.flac") in str(caught.value)
    assert tree(tmp_path) == ["song.wav"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken"), MemoryError(), SystemExit(1)])
def test_interruptions_leave_nothing_half_written(song, tmp_path, error):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep me")
    with pytest.raises(type(error)):
        separate_file(song, BOTH, out, model=Fake(fail_at=4, act=error))
    assert tree(out) == ["mine.txt"]


def test_an_interruption_keeps_the_former_stems(song, tmp_path):
    separate_file(song, BOTH, tmp_path / "out", model=Fake())
    before = {path: (tmp_path / "out" / path).stat() for path in tree(tmp_path / "out")}
    with pytest.raises(KeyboardInterrupt):
        separate_file(song, BOTH, tmp_path / "out", model=Fake((0.1, 0.2), fail_at=4, act=KeyboardInterrupt()))
    after = {path: (tmp_path / "out" / path).stat() for path in tree(tmp_path / "out")}
    assert {path: (stat.st_mtime_ns, stat.st_ino) for path, stat in after.items() if path != "song"} == {
        path: (stat.st_mtime_ns, stat.st_ino) for path, stat in before.items() if path != "song"
    }


def test_cancel_while_separating_and_while_finishing(song, tmp_path):
    for n_calls in (1, 3, 11):
        asked = 0

        def cancel(limit=n_calls):
            nonlocal asked
            asked += 1
            return asked >= limit

        with pytest.raises(Cancelled, match="as asked"):
            separate_file(song, BOTH, tmp_path / "out", model=Fake(), cancel=cancel)
        assert tree(tmp_path) == ["song.wav"]


def test_cancel_between_two_files(song, tmp_path, monkeypatch):
    closed, close = [], AudioWriter.close

    def count(writer):
        closed.append(writer.path.name)
        return close(writer)

    monkeypatch.setattr(AudioWriter, "close", count)
    with pytest.raises(Cancelled):
        separate_file(song, BOTH, tmp_path / "out", model=Fake(), cancel=lambda: bool(closed))
    assert closed == ["a.wav"]
    assert tree(tmp_path) == ["song.wav"]


def test_a_full_disk_in_the_middle(song, tmp_path, monkeypatch):
    write, n_calls = AudioWriter.write, 0

    def fail(writer, block):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 8:
            raise AudioWriteError(f"{writer.path}: cannot be written (no space left on device): free some space")
        write(writer, block)

    monkeypatch.setattr(AudioWriter, "write", fail)
    with pytest.raises(AudioWriteError, match="no space left") as caught:
        separate_file(song, BOTH, tmp_path / "out", model=Fake())
    assert str(caught.value).startswith(f"{tmp_path / 'out' / 'song'}")
    assert tree(tmp_path) == ["song.wav"]


def test_too_little_space_is_told_before_the_work(song, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    model = Fake()
    with pytest.raises(AudioWriteError, match=r"out: \d\.\d MB are needed here and 1\.1 MB are free: free some space"):
        separate_file(song, BOTH, tmp_path / "out", model=model)
    assert model.n_windows == 0
    assert tree(tmp_path) == ["song.wav"]


def test_places_that_cannot_be_written(song, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / "song").mkdir(parents=True)
    (tmp_path / "taken" / "song" / "b.wav").mkdir()
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "song").write_text("")
    cases = {
        "file": "file: this is a file, not a folder",
        "file/deeper": "file: this is a file, not a folder",
        "taken": "b.wav: this is a folder",
        "blocked": "song: this is a file, not a folder",
        "x" * 300: "file name too long",
    }
    before = tree(tmp_path)
    for name, message in cases.items():
        model = Fake()
        with pytest.raises(AudioWriteError) as caught:
            separate_file(song, BOTH, tmp_path / name, model=model)
        assert message in str(caught.value)
        assert "choose another output folder" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert model.n_windows == 0
    assert tree(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folders_without_permission(song, tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(AudioWriteError, match="no permission to write here"):
        separate_file(song, BOTH, tmp_path / "out", model=Fake())


def test_folders_without_permission_are_refused_even_where_root_would_not_notice(song, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(AudioWriteError, match="no permission to write here"):
        separate_file(song, BOTH, tmp_path / "out", model=Fake())


def test_a_folder_that_cannot_be_made(song):
    with pytest.raises(AudioWriteError, match="/proc/no-such-folder: cannot be written"):
        separate_file(song, BOTH, "/proc/no-such-folder", model=Fake())


def test_inputs_are_never_overwritten(tmp_path):
    song = make_song(tmp_path / "a.wav")
    before = song.read_bytes()
    model = Fake()
    options = DeliveryOptions(name_template="{stem}")
    with pytest.raises(AudioWriteError, match=r"a\.wav: a stem would overwrite this input: choose another output"):
        separate_file(song, BOTH, tmp_path, model=model, options=options)
    with pytest.raises(AudioWriteError, match="would overwrite this input"):  # as the stand-in of a FLAC would
        separate_file(
            song, BOTH, tmp_path, model=model, options=DeliveryOptions(name_template="{stem}", container="flac")
        )
    other = make_song(tmp_path / "other.wav")
    protecting = DeliveryOptions(name_template="{stem}", protected=(song,))
    with pytest.raises(AudioWriteError, match="would overwrite this input"):
        separate_file(other, BOTH, tmp_path / "x" / "..", model=model, options=protecting)
    assert model.n_windows == 0
    assert song.read_bytes() == before
    assert tree(tmp_path) == ["a.wav", "other.wav"]


def test_examples_are_never_overwritten(tmp_path):
    song, example = make_song(tmp_path / "song.wav"), make_song(tmp_path / "a.wav", seed=1)
    before = example.read_bytes()
    model = Fake()
    model.accepts |= {Examples}
    options = DeliveryOptions(name_template="{stem}")
    with pytest.raises(AudioWriteError, match=r"a\.wav: a stem would overwrite this input"):
        separate_file(song, Examples(example), tmp_path, model=model, options=options)
    assert (model.n_windows, example.read_bytes()) == (0, before)
    separate_file(song, Target("b", Examples(example)), tmp_path, model=model, options=options)
    assert example.read_bytes() == before


def test_targets_that_would_be_one_file(song, tmp_path):
    for names in (("Lead", "lead"), ("a/b", "a:b"), ("residual", "b")):
        targets = [Target(name, Label("a")) for name in names]
        with pytest.raises(GuideError, match="would be written to one file"):
            separate_file(song, targets, tmp_path / "out", model=Fake())
    alone = DeliveryOptions(residual=False)
    manifest = separate_file(song, Target("residual", Label("a")), tmp_path / "out", model=Fake((0.5,)), options=alone)
    assert [record.presence for record in manifest.outputs] == [0.5]
    assert tree(tmp_path / "out") == ["song", "song/manifest.json", "song/residual.wav"]


def test_tracks_in_one_folder(tmp_path):
    songs = [make_song(tmp_path / f"{name}.wav", seed=index) for index, name in enumerate(("x", "y"))]
    options = DeliveryOptions(name_template="{track} ({stem})", residual=False, skip_existing=True)
    for song in songs:
        separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=options)
    names = ["x (a).wav", "x (b).wav", "x.manifest.json", "y (a).wav", "y (b).wav", "y.manifest.json"]
    assert tree(tmp_path / "out") == names
    assert all(separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=options).skipped for song in songs)


def test_stems_in_folders_of_their_own(song, tmp_path):
    options = DeliveryOptions(name_template="{stem}/{track}", skip_existing=True)
    manifest = separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=options)
    assert [record.file for record in manifest.outputs] == ["a/song.wav", "b/song.wav", "residual/song.wav"]
    assert manifest.path == tmp_path / "out" / "song.manifest.json"
    assert separate_file(song, BOTH, tmp_path / "out", model=Fake(), options=options).skipped


def test_track_names(tmp_path):
    song = make_song(tmp_path / "Лёд: 音 🎺.live.wav")
    separate_file(song, Label("a"), tmp_path / "out", model=Fake((0.5,)))
    separate_file(song, Label("a"), tmp_path / "out", model=Fake((0.5,)), track="album/../01")
    assert (tmp_path / "out" / "Лёд_ 音 🎺.live" / "a.wav").exists()
    assert (tmp_path / "out" / "album" / "01" / "a.wav").exists()


def test_relative_folders(song, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = separate_file("song.wav", BOTH, "out", model=Fake())
    assert separate_file("song.wav", BOTH, ".", model=Fake()).path == Path("song/manifest.json")
    assert manifest.is_complete()
    assert tree(tmp_path) == sorted(
        ["out", "song", "song.wav", *(f"{folder}/{name}" for folder in ("out/song", "song") for name in
         ("a.wav", "b.wav", "manifest.json", "residual.wav")), "out/song"]
    )  # fmt: skip


SKIP = DeliveryOptions(skip_existing=True)


def test_skip_existing(song, tmp_path):
    out = tmp_path / "out"
    first = separate_file(song, BOTH, out, model=Fake(), options=SKIP)
    assert not first.skipped
    model, seen = Fake(), []
    again = separate_file(song, BOTH, out, model=model, options=SKIP, progress=seen.append)
    assert again.skipped
    assert again == first
    assert model.n_windows == 0
    assert seen == [1.0]
    assert not separate_file(song, BOTH, out, model=Fake(), options=DeliveryOptions()).skipped


@pytest.mark.parametrize(
    "change",
    ["input", "model", "guides", "settings", "depth", "residual", "template", "file gone", "file cut", "manifest cut"],
)
def test_skip_existing_notices_a_change(song, tmp_path, change):
    out = tmp_path / "out"
    first = separate_file(song, BOTH, out, model=Fake(), options=SKIP)
    model, targets, options = Fake(), BOTH, SKIP
    if change == "input":
        make_song(song, seed=1)
    elif change == "model":
        model = Fake((0.3, 0.2))
    elif change == "guides":
        targets = [Target("a", Label("b")), Target("b", Label("a"))]
    elif change == "settings":
        options = DeliveryOptions(skip_existing=True, settings=Settings(overlap=0.5))
    elif change == "depth":
        options = DeliveryOptions(skip_existing=True, depth="24")
    elif change == "residual":
        options = DeliveryOptions(skip_existing=True, residual=False)
    elif change == "template":
        options = DeliveryOptions(skip_existing=True, name_template="{track}/the {stem}")
    elif change == "file gone":
        (first.path.parent / "b.wav").unlink()
    elif change == "file cut":
        os.truncate(first.path.parent / "b.wav", 100)
    else:
        os.truncate(first.path, 100)
    again = separate_file(song, targets, out, model=model, options=options)
    assert not again.skipped
    assert model.n_windows > 0
    assert again.is_complete()


def test_skip_existing_knows_stand_ins_and_renamed_inputs(song, tmp_path):
    options = DeliveryOptions(container="flac", skip_existing=True)
    separate_file(song, BOTH, tmp_path, model=Fake((2.0, 0.1)), options=options)
    moved = song.rename(tmp_path / "moved.wav")
    again = separate_file(moved, BOTH, tmp_path, model=Fake((2.0, 0.1)), options=options, track="song")
    assert again.skipped
    assert len(again.warnings) == 1


def test_no_manifest_while_stems_are_replaced(song, tmp_path, monkeypatch):
    first = separate_file(song, BOTH, tmp_path, model=Fake())
    put, n_calls = os.replace, 0

    def fail(source, target):
        nonlocal n_calls
        n_calls += "a.wav" in str(target) and ".part" not in str(target)
        if n_calls:
            assert not first.path.exists()
            raise OSError(5, "Input/output error")
        put(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(AudioWriteError, match=r"cannot be written \(input/output error\): choose another"):
        separate_file(song, BOTH, tmp_path, model=Fake((0.1, 0.1)))
    assert tree(tmp_path) == ["song", "song.wav", "song/a.wav", "song/b.wav", "song/residual.wav"]


def test_formats_that_do_not_fit_are_told_before_the_work(tmp_path):
    path = tmp_path / "song.wav"
    write_audio(path, Audio(noise(3, 500), 11000), encoding=Encoding("wav", "16"))
    model = Fake()
    with pytest.raises(AudioWriteError, match="MP3 holds at most 2 channels") as caught:
        separate_file(path, BOTH, tmp_path / "out", model=model, options=DeliveryOptions(container="mp3"))
    assert ".part" not in str(caught.value)
    assert model.n_windows == 0
    assert tree(tmp_path) == ["song.wav"]


def test_options_that_make_no_sense():
    with pytest.raises(AudioWriteError, match="unknown audio format 'aiff'"):
        DeliveryOptions(container="aiff")
    with pytest.raises(AudioWriteError, match="mp3 cannot hold depth '24'"):
        DeliveryOptions(container="mp3", depth="24")
    with pytest.raises(AudioWriteError, match="flac cannot hold depth 'float'"):
        DeliveryOptions(container="flac", depth="float")
    with pytest.raises(SettingsError, match="name template"):
        DeliveryOptions(name_template="{track}")


def test_inputs_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not sound")
    for name in ("missing.wav", "empty.wav", "text.wav", "."):
        with pytest.raises(AudioReadError):
            separate_file(tmp_path / name, BOTH, tmp_path / "out", model=Fake())
    assert tree(tmp_path) == ["empty.wav", "text.wav"]


def test_a_damaged_sample_in_the_middle(tmp_path):
    samples = noise(1, 9000).numpy()
    samples[0, 6000] = np.nan
    soundfile.write(tmp_path / "song.wav", samples.T, RATE, subtype="FLOAT")
    with pytest.raises(AudioReadError, match=r"song\.wav: the sample at 0\.750 s is not a finite number"):
        separate_file(tmp_path / "song.wav", Label("a"), tmp_path / "out", model=Fake((0.5,)))
    assert tree(tmp_path) == ["song.wav"]


def test_models_by_path(song, tmp_path):
    save_weights(debug_model(), tmp_path / "debug.safetensors")
    manifest = separate_file(song, Label("vocals"), tmp_path / "out", model=tmp_path / "debug.safetensors")
    assert manifest.model == str(tmp_path / "debug.safetensors")
    named = DeliveryOptions(model_name="my model")
    assert (
        separate_file(song, Label("vocals"), tmp_path / "out", model=debug_model(), options=named).model == "my model"
    )
    with pytest.raises(ModelError, match="unknown model"):
        separate_file(song, BOTH, tmp_path / "out", model="no-such-model")
    assert separate_file(song, Label("vocals"), tmp_path / "out").model == "tuss-small"


def test_one_sample(tmp_path):
    song = make_song(tmp_path / "song.wav", n_samples=1)
    manifest = separate_file(song, Prompts("vocals drums"), tmp_path / "out", model=debug_model())
    total = sum(integers(manifest.path.parent / record.file) for record in manifest.outputs)
    assert np.array_equal(total, integers(song))


def test_another_rate_comes_back(tmp_path):
    path = tmp_path / "song.wav"
    write_audio(path, Audio(noise(2, 30_011, level=0.5), 44100), encoding=Encoding("wav", "24"))
    manifest = separate_file(path, BOTH, tmp_path / "out", model=Fake())
    total = sum(integers(manifest.path.parent / record.file) for record in manifest.outputs)
    assert np.array_equal(total, integers(path))
