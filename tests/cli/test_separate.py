"""Files in, stems out, through the door."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from unbraid import Audio, load_model
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import open_audio, read_audio
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app
from unbraid.cli.separate import _hear_interrupt
from unbraid.guides.kinds import Examples, Label, output_names
from unbraid.models.queries import Query, save_query, tensors_sha256
from unbraid.models.separator import Estimates, Separator

RATE = 8000


def sound(path, *, seconds=1.0, peak=0.3, n_channels=2, depth="16", seed=0):
    generator = torch.Generator().manual_seed(seed)
    samples = peak * (2 * torch.rand(n_channels, int(seconds * RATE), generator=generator) - 1)
    return write_audio(path, Audio(samples, RATE), encoding=Encoding("wav", depth)).path


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sound("song.wav")
    sound("talk.wav", seed=1)
    return tmp_path


@pytest.fixture
def separate(desk, debug_weights):
    def run(*words, guides=("--prompts", "vocals drums")):
        model = [] if "-m" in words else ["-m", str(debug_weights)]
        return CliRunner().invoke(app, ["separate", *map(str, words), *guides, *model], catch_exceptions=False)

    return run


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_freed_memory_is_kept_for_the_next_window(separate, malloc):
    assert separate("song.wav").exit_code == 0
    assert malloc == [True]


def test_stems_residual_and_manifest_lie_in_a_folder_of_the_tracks_name(separate):
    result = separate("song.wav")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert files("separated") == [
        f"song/{name}" for name in ("drums.wav", "manifest.json", "residual.wav", "vocals.wav")
    ]
    mixture = read_audio("song.wav")
    stems = [read_audio(f"separated/song/{name}.wav") for name in ("vocals", "drums", "residual")]
    assert torch.equal(sum(stem.samples for stem in stems), mixture.samples)
    assert {stem.sample_rate for stem in stems} == {RATE}


def test_json_is_one_object_a_file(separate):
    result = separate("song.wav", "talk.wav", "--json", "-o", "out")
    assert result.exit_code == 0
    song, talk = lines(result)
    assert (song["file"], talk["file"]) == ("song.wav", "talk.wav")
    assert song["manifest"] == json.loads(Path(song["manifest_path"]).read_text())
    assert [stem["name"] for stem in song["manifest"]["stems"]] == ["vocals", "drums"]
    assert not song["skipped"]
    assert Path(song["manifest_path"]) == Path("out/song/manifest.json")


def test_a_bad_file_is_one_line_and_the_others_are_done(separate):
    Path("broken.wav").write_text("this is text")
    result = separate("song.wav", "broken.wav", "gone.wav", "*.ogg", "talk.wav")
    assert result.exit_code == 1
    assert result.stdout == ""
    complaints = result.stderr.splitlines()
    assert len(complaints) == 3
    for name in ("broken.wav", "gone.wav", "*.ogg"):
        assert len([line for line in complaints if name in line]) == 1
    assert {name.split("/")[0] for name in files("separated")} == {"song", "talk"}


def test_bad_files_as_json(separate):
    Path("empty.wav").touch()
    result = separate("empty.wav", "*.ogg", "song.wav", "--json")
    assert result.exit_code == 1
    found = {one["file"]: one for one in lines(result)}
    assert set(found) == {"empty.wav", "*.ogg", "song.wav"}
    assert found["empty.wav"]["error"]["type"] == "AudioReadError"
    assert "empty.wav" in found["empty.wav"]["error"]["message"]
    assert "manifest" in found["song.wav"]


@pytest.mark.parametrize(
    ("guides", "hint"),
    [
        ([], "--task music"),
        (["--prompts", "vocals trombone"], "trombone"),
        (["--prompts", "sfx sfx-mix"], "contradict"),
        (["--prompts", " "], "empty"),
        (["--task", "opera"], "enhance"),
        (["--task", "speakers=0"], "1 to 8"),
        (["--target", "lead"], "no guide"),
        (["--target", "all", "--prompts", "vocals drums"], "own target"),
        (["--target", "a", "--label", "bass", "--target", "A", "--label", "drums"], "one file"),
        (["--target", "residual", "--label", "bass"], "one file"),
    ],
)
def test_guides_that_cannot_be_are_refused_before_any_work(separate, guides, hint):
    result = separate("song.wav", guides=guides)
    assert result.stderr.count("\n") == 1
    assert hint in result.stderr
    assert result.exit_code == 2
    assert not Path("separated").exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["-m", "tuss-enormous"], "tuss-enormous"),
        (["-m", "song.wav"], "song.wav"),
        (["--overlap", "0.95"], "0.9"),
        (["--device", "abacus"], "doctor"),
        (["--format", "mp3", "--depth", "24"], "mp3"),
        (["--format", "flac", "--depth", "float"], "flac"),
        (["--name-template", "{track}"], "{stem}"),
        (["--name-template", "../{stem}"], "inside the output folder"),
    ],
)
def test_options_that_cannot_be_are_refused_before_any_work(separate, words, hint):
    for more in ([], ["--json"]):
        result = separate("song.wav", *words, *more)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert hint in result.stderr
        assert not Path("separated").exists()
        if more:
            [document] = lines(result)
            assert hint in document["error"]["message"]


@pytest.mark.parametrize("words", ["--seed 3", "--steps 5", "--candidates 2", "--seed 0 --json"])
@pytest.mark.parametrize("guides", [["--label", "bass"], ["--label", "bass", "--label", "drums"]])
def test_random_draws_of_a_model_that_makes_none(separate, words, guides):
    result = separate("song.wav", "talk.wav", *words.split(), guides=guides)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "draws nothing at random: leave seed, steps and candidates out" in result.stderr
    assert not Path("separated").exists()


@pytest.mark.parametrize("words", ["--format aiff", "--depth 12", "--precision fp8", "--channel-mode x"])
def test_options_outside_their_choices_are_refused(separate, words):
    result = separate("song.wav", *words.split())
    assert result.exit_code == 2
    assert words.split()[0] in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_refused(separate):
    result = separate("song.wav", "--device", "cuda")
    assert result.exit_code == 2
    assert "cuda" in result.stderr


def test_targets_have_their_names(separate):
    guides = ["--label", "bass", "--target", "lead", "--label", "vocals", "--target", "beat", "--prompts", "drums"]
    assert separate("song.wav", "--no-residual", guides=guides).exit_code == 0
    assert files("separated/song") == ["bass.wav", "beat.wav", "lead.wav", "manifest.json"]


def test_tasks_spell_prompts(separate):
    assert separate("song.wav", guides=["--task", "speakers=2"]).exit_code == 0
    assert files("separated/song") == ["manifest.json", "residual.wav", "sfx-mix.wav", "speech-1.wav", "speech-2.wav"]


def test_skip_existing_leaves_out_what_was_made_in_the_same_way(separate):
    separate("song.wav")
    before = Path("separated/song/vocals.wav").stat().st_mtime_ns
    first = separate("song.wav", "talk.wav", "--skip-existing", "--json")
    assert [(one["file"], one["skipped"]) for one in lines(first)] == [("song.wav", True), ("talk.wav", False)]
    assert Path("separated/song/vocals.wav").stat().st_mtime_ns == before
    other = separate("song.wav", "--skip-existing", "--json", "--overlap", "0.5")
    assert [one["skipped"] for one in lines(other)] == [False]


def test_format_and_depth(separate):
    assert separate("song.wav", "--format", "flac", "--depth", "24", "--no-residual").exit_code == 0
    assert files("separated/song") == ["drums.flac", "manifest.json", "vocals.flac"]
    with open_audio("separated/song/drums.flac") as reader:
        assert reader.encoding.depth == "24"


def test_a_stem_above_full_scale_becomes_float_with_a_warning(separate):
    sound("loud.wav", peak=1.0)
    result = separate("loud.wav")
    assert result.exit_code == 0
    assert result.stderr.startswith("unbraid: warning: ")
    assert result.stderr.count("\n") == 1
    with open_audio("separated/loud/residual.wav") as reader:
        assert reader.encoding.depth == "float"


def test_a_stem_above_full_scale_fails_where_the_format_was_asked_for(separate):
    sound("loud.wav", peak=1.0)
    result = separate("loud.wav", "song.wav", "--depth", "16")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "residual.wav" in result.stderr
    assert {name.split("/")[0] for name in files("separated")} == {"song"}


def test_the_name_template(separate):
    assert separate("song.wav", "--name-template", "{stem} of {track}", "-o", "out").exit_code == 0
    assert "vocals of song.wav" in files("out")


def test_a_folder_keeps_its_shape_and_is_not_fed_its_own_stems(separate):
    sound("album/side a/one.wav", seconds=0.2)
    sound("album/two.wav", seconds=0.2)
    for _ in range(2):
        result = separate("album", "-o", "album/stems", "--json")
        assert [Path(one["manifest_path"]).as_posix() for one in lines(result)] == [
            "album/stems/two/manifest.json",
            "album/stems/side a/one/manifest.json",
        ]


def test_the_channel_mode_is_the_models_own_or_the_one_asked_for(separate):
    modes = [
        lines(separate("song.wav", "--json", *words))[0]["manifest"]["provenance"]["model"]["config"]["channel_mode"]
        for words in ([], ["--channel-mode", "each"], ["--channel-mode", "mid"])
    ]
    assert modes == ["mid", "each", "mid"]


@dataclass(frozen=True)
class Loudness:
    """How loud each target is to be."""

    names: tuple[str, ...]
    gains: torch.Tensor
    groups: tuple[tuple[int, ...], ...] = ()

    def crop(self, start, stop):
        del start, stop
        return self


class Listener(Separator):
    """Draws out the mixture times the peak of the examples, less that of the negative ones."""

    def __init__(self):
        super().__init__()
        self.sample_rate, self.segment, self.query_size = RATE, 0.5, 1
        self.accepts, self.vocabulary = frozenset({Examples, Label}), ("hiss",)

    def condition(self, targets):
        return Loudness(output_names(targets), torch.stack([self.embed(one.guides[0]) for one in targets]))

    def embed(self, examples):
        if isinstance(examples, Label):
            return torch.zeros(1)
        peaks = [max([0.0, *(float(one.samples.abs().max()) for one in side)]) for side in examples.recordings]
        return torch.tensor([peaks[0] - peaks[1]])

    def forward(self, mixture, condition):
        return Estimates(mixture[:, None] * condition.gains[:, :, None], None)


@pytest.fixture
def listen(desk, monkeypatch):
    monkeypatch.setattr("unbraid.zoo.load_model", lambda name, device, priors: Listener())
    for name, peak in {"riff": 0.5, "riff two": 0.25, "singer": 0.125}.items():
        write_audio(f"{name}.wav", Audio(torch.full((1, 2000), peak), 16000), encoding=Encoding("wav", "16"))

    def run(*words):
        return CliRunner().invoke(app, ["separate", *map(str, words), "-m", "listener"], catch_exceptions=False)

    return run


def gain(stem, song="song"):
    """Return by which number the song was multiplied to give a stem."""
    mixture, found = read_audio(f"{song}.wav"), read_audio(f"separated/{song}/{stem}.wav")
    return float((mixture.samples * found.samples).sum() / mixture.samples.square().sum())


def test_an_example_makes_a_stem_of_its_name(listen):
    result = listen("song.wav", "--example", "riff.wav")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert files("separated/song") == ["manifest.json", "residual.wav", "riff.wav"]
    assert gain("riff") == pytest.approx(0.5, abs=1e-3)


def test_several_examples_and_what_it_is_not_are_one_target(listen):
    words = ["--example", "riff two.wav", "--example", "riff.wav", "--not", "singer.wav"]
    assert listen("song.wav", *words).exit_code == 0
    assert files("separated/song") == ["manifest.json", "residual.wav", "riff two.wav"]
    assert gain("riff two") == pytest.approx(0.375, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "file"), [("guitar", "guitar"), ("AC/DC: live?", "AC_DC_ live_"), ("..", "_"), ("con", "_con")]
)
def test_as_names_the_stem(listen, name, file):
    assert listen("song.wav", "--example", "riff.wav", "--as", name).exit_code == 0
    assert f"{file}.wav" in files("separated/song")
    assert len(files("separated")) == 3
    assert json.loads(Path("separated/song/manifest.json").read_text())["stems"][0]["name"] == name


def test_two_targets_that_examples_point_at(listen):
    words = ["--target", "a", "--example", "riff.wav", "--target", "b", "--example", "singer.wav", "--label", "hiss"]
    result = listen("song.wav", "--example", "riff two.wav", *words[:-2], "--target", "c", *words[-2:])
    assert result.exit_code == 0
    gains = {name: gain(name) for name in ("riff two", "a", "b", "c")}
    assert gains == pytest.approx({"riff two": 0.25, "a": 0.5, "b": 0.125, "c": 0.0}, abs=1e-3)


def test_a_span_is_cut_out_of_each_song(listen):
    sound("soft.wav", peak=0.1, seed=2)
    result = listen("song.wav", "soft.wav", "--example", "0:00.25-0.5", "--as", "it")
    assert result.exit_code == 0
    for song in ("song", "soft"):
        with open_audio(f"{song}.wav") as reader:
            peak = float(torch.cat(list(reader.blocks(start=RATE // 4, stop=RATE // 2)), dim=1).abs().max())
        assert gain("it", song) == pytest.approx(peak, abs=1e-3)


def test_a_span_outside_of_a_song_fails_for_that_song_alone(listen):
    sound("long.wav", seconds=3)
    result = listen("song.wav", "long.wav", "--json", "--example", "2-2.5", "--not", "0-0.5")
    assert result.exit_code == 1
    song, long = lines(result)
    assert song["error"]["type"] == "GuideError"
    assert "song.wav" in song["error"]["message"]
    assert "span 2-2.5s lies outside of the mixture, which is 1.00 s long" in song["error"]["message"]
    assert long["manifest"]["stems"][0]["name"] == "2-2.5s"
    assert result.stderr.count("\n") == 1
    assert {name.split("/")[0] for name in files("separated")} == {"long"}


def test_examples_are_read_once_for_all_songs(listen, monkeypatch):
    read = []

    def counted(path):
        read.append(str(path))
        return read_audio(path)

    monkeypatch.setattr("unbraid.guides.examples.read_audio", counted)
    assert listen("song.wav", "talk.wav", "--example", "riff.wav", "--not", "singer.wav").exit_code == 0
    assert read == ["riff.wav", "singer.wav"]


def broken(path):
    Path(path).write_bytes(b"RIFF1234WAVEjunk")


def silent(path):
    write_audio(path, Audio(torch.zeros(2, 4000), RATE), encoding=Encoding("wav", "16"))


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda path: None, "there is no such file"),
        (broken, "bad.wav"),
        (silent, "is silent"),
        (lambda path: Path(path).mkdir(), "bad.wav"),
    ],
)
@pytest.mark.parametrize("side", ["--example", "--not"])
def test_bad_examples_are_refused_before_the_model_is_loaded(listen, monkeypatch, make, hint, side):
    monkeypatch.setattr("unbraid.zoo.load_model", lambda name, device, priors: pytest.fail("loaded"))
    make("bad.wav")
    result = listen("song.wav", "--example", "riff.wav", side, "bad.wav", "--json")
    assert result.exit_code == 2
    [document] = lines(result)
    assert document["error"]["type"] == "GuideError"
    for part in (hint, "bad.wav", "target 'riff'"):
        assert part in document["error"]["message"]
    assert result.stderr.count("\n") == 1
    assert not Path("separated").exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--as", "guitar", "--label", "hiss"], "--as guitar"),
        (["--not", "riff.wav"], "give --example, too"),
        (["--example", "riff.wav", "--as", "residual"], "one file"),
        (["--example", "riff.wav", "--target", "RIFF", "--example", "singer.wav"], "one file"),
        (["--example", "0:02-0:01"], "start before its stop"),
        (["--example", "-1-2"], "-1-2 is no span, and no file is called so"),
        (["--example", "0:01-"], "0:01- is no span"),
        (["--example", "0:01-0:02-0:03"], "write one as 0:12-0:16"),
        (["--example", "riff.wav", "--as", "a" * 201], "give the target a shorter one"),
        (["--example", "0:00-0:01", "--label", "hi"], "did you mean 'hiss'"),
    ],
)
def test_examples_that_cannot_be_are_refused_before_any_work(listen, monkeypatch, words, hint):
    monkeypatch.setattr(Listener, "forward", lambda *_: pytest.fail("ran"))
    result = listen("song.wav", *words)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("separated").exists()


def test_an_example_is_never_overwritten(listen):
    Path("separated/song").mkdir(parents=True)
    before = Path("riff.wav").rename("separated/song/riff.wav").read_bytes()
    result = listen("song.wav", "--example", "separated/song/riff.wav")
    assert result.exit_code == 1
    assert "overwrite" in result.stderr
    assert Path("separated/song/riff.wav").read_bytes() == before
    assert listen("song.wav", "--example", "separated/song/riff.wav", "--as", "better").exit_code == 0


def test_skip_existing_sees_another_example(listen):
    listen("song.wav", "--example", "riff.wav", "--as", "it")
    again = [lines(listen("song.wav", "--skip-existing", "--json", "--as", "it", "--example", name)) for name in
             ("riff.wav", "singer.wav")]  # fmt: skip
    assert [one["skipped"] for (one,) in again] == [True, False]


@pytest.fixture
def taught(desk, debug_weights, monkeypatch):
    """A label of the smallest network, in a folder of its own: what it calls riff is its prompt for vocals."""
    monkeypatch.setenv("UNBRAID_LIBRARY", str(desk / "library"))
    model = load_model(debug_weights)
    vector = model.prompts[model.vocabulary.index("vocals")].detach()
    Path("library").mkdir()
    save_query(Query("riff", str(debug_weights), tensors_sha256(model), vector), "my label.unbraid")
    Path("elsewhere").mkdir()
    return Path("my label.unbraid").rename("elsewhere/my label.unbraid")


@pytest.mark.parametrize("place", ["library", ".", None])
def test_a_taught_label_is_found_where_it_lies_or_given(separate, taught, place):
    words = ["--taught", taught] if place is None else []
    if place is not None:
        taught.rename(Path(place, "any.unbraid"))
    assert separate("song.wav", *words, guides=["--label", "riff"]).exit_code == 0
    assert files("separated/song") == ["manifest.json", "residual.wav", "riff.wav"]
    separate("song.wav", "-o", "known", guides=["--label", "vocals"])
    assert torch.equal(read_audio("separated/song/riff.wav").samples, read_audio("known/song/vocals.wav").samples)


def test_a_taught_label_brings_its_model(separate, taught, debug_weights):
    words = ["separate", "song.wav", "--json", "--label", "riff", "--taught", str(taught)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert lines(result)[0]["manifest"]["model"] == str(debug_weights)


def test_taught_labels_that_do_not_fit_are_refused(separate, taught):
    for words, hint in (
        (["--label", "riff"], "unknown label 'riff'"),
        (["--taught", taught, "--label", "rif"], "did you mean 'riff'"),
        (["--taught", "song.wav", "--label", "riff"], "song.wav: not a taught label"),
        (["--taught", "gone.unbraid", "--label", "riff"], "gone.unbraid: cannot be read"),
        (["--taught", taught, "--label", "riff", "-m", "tuss-small"], "not to tuss-small"),
    ):
        result = separate("song.wav", *words, guides=[])
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert hint in result.stderr
    assert not Path("separated").exists()


def test_a_label_that_lies_here_and_another_model_was_taught_names_it(separate, taught):
    Path(taught).rename("riff.unbraid")
    result = separate("song.wav", "--label", "riff", "-m", "tuss-small", guides=[])
    assert result.exit_code == 2
    assert "'riff' was taught to" in result.stderr
    assert "not to tuss-small" in result.stderr


def test_a_model_that_takes_no_examples_is_refused(separate):
    result = separate("song.wav", guides=["--example", "talk.wav"])
    assert result.exit_code == 2
    assert "Label and Prompts, not Examples" in result.stderr
    assert not Path("separated").exists()


def test_progress_shows_on_a_terminal_only(desk, debug_weights):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "unbraid", "separate", "song.wav", "talk.wav", "-p", "vocals", "-m", debug_weights]
    with subprocess.Popen(
        command, stderr=slave, stdout=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # Linux says so at the end of a pseudo-terminal
                break
            if not piece:
                break
            shown += piece
        assert process.stdout.read() == b""
    os.close(master)
    assert process.returncode == 0
    assert b"[1/2] song.wav" in shown
    assert b"vocals (presence 0." in shown


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "unbraid", "separate", *map(str, words)], stderr=subprocess.PIPE, text=True
    )


def wait_for(there, process, seconds=60.0):
    until = time.monotonic() + seconds
    while not there():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_ctrl_c_leaves_whole_files_only(desk, debug_weights):
    sound("long.wav", seconds=1800, n_channels=1)
    process = start("song.wav", "long.wav", "talk.wav", "--prompts", "vocals", "-m", debug_weights)
    out = Path("separated")
    wait_for(lambda: (out / "song/manifest.json").exists() and list(out.glob(".unbraid-*")), process)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 130
    assert complaint.count("\n") == 1
    assert "stopped" in complaint
    assert files("separated") == ["song/manifest.json", "song/residual.wav", "song/vocals.wav"]


def test_a_second_ctrl_c_stops_at_once():
    before = signal.getsignal(signal.SIGINT)
    with _hear_interrupt() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
