"""A melody or a mask points at a sound: through the door with the smallest GuideSep, whatever is given."""

import json
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from typer.testing import CliRunner

from unbraid import Audio, Mask, Mimicry, Sampling, Settings, Target, separate, separate_stream
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app
from unbraid.guides.mask_grid import frames_of
from unbraid.guides.notes import Note
from unbraid.guides.tones import render_tones
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.zoo import load_model, save_weights

RATE = 8000
N_FRAMES = frames_of(0.5)  # of the song
TUNE = [Note(0.4 * at, 0.4, 60 + at * at % 31 // 2, 100) for at in range(10)]  # 4 s


def tune(seconds=1.0, *, start=0.0):
    samples = render_tones(TUNE, sample_rate=RATE)
    return Audio(0.2 * samples[None, round(start * RATE) : round((start + seconds) * RATE)], RATE)


def noise(n_channels, n_samples, seed=0):
    return 0.3 * (2 * torch.rand(n_channels, n_samples, generator=torch.Generator().manual_seed(seed)) - 1)


def weights_of(preset, path):
    """Write a network whose answers are part of the mixture, and depend on all that it is told."""
    config = PRESETS[preset]
    shape = replace(config.network, masked=config.noise is not None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Guidesep(replace(config, network=shape))
        torch.nn.init.normal_(model.network.last.weight, std=0.02)
    save_weights(model, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_of("guidesep-debug", tmp_path_factory.mktemp("weights") / "guidesep.safetensors")


@pytest.fixture(scope="module")
def model(weights):
    return load_model(weights)


def write(path, audio):
    return write_audio(path, audio, encoding=Encoding("wav", "16")).path


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("song.wav", Audio(noise(2, 4000) + tune(0.5).samples, RATE))
    write("hum.wav", tune())
    painted(80, N_FRAMES).save("mask.png")
    return tmp_path


@pytest.fixture
def point(desk, weights):
    def run(*words, songs=("song.wav",)):
        model = [] if "-m" in words else ["-m", str(weights)]
        return CliRunner().invoke(app, ["separate", *songs, *map(str, words), *model], catch_exceptions=False)

    return run


def painted(height, width, *, positive=(20, 40), negative=(60, 80)):
    """A picture with a green and a red stripe; rows are counted from below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for color, (low, high) in ((1, positive), (0, negative)):
        pixels[height - high : height - low, :, color] = 255
    return Image.fromarray(pixels)


def midi(path, names, *, channel=0, n_notes=3):
    tracks = []
    for name in names:
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        for _ in range(n_notes):
            track.append(mido.Message("note_on", note=67, channel=channel))
            track.append(mido.Message("note_off", note=67, channel=channel, time=240))
        tracks.append(track)
    mido.MidiFile(tracks=tracks).save(path)


def files(folder="separated"):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def stem(name, out="separated"):
    return read_audio(f"{out}/song/{name}.wav").samples


def test_a_hum_and_a_mask_make_one_stem(point):
    result = point("--hum", "hum.wav", "--mask", "mask.png", "--as", "lead")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert files() == ["song/lead.wav", "song/manifest.json", "song/residual.wav"]
    assert torch.equal(stem("lead") + stem("residual"), read_audio("song.wav").samples)
    assert stem("lead").abs().max() > 0


def test_every_guide_counts(point):
    np.save("mask.npy", np.eye(40))  # of no length: for any song
    words = {
        "hum": ["--hum", "hum.wav"],
        "mask": ["--mask", "mask.npy"],
        "both": ["--hum", "hum.wav", "--mask", "mask.npy"],
        "later": ["--hum", "hum.wav", "--at", "0.25"],
        "seed": ["--hum", "hum.wav", "--seed", "1"],
        "steps": ["--hum", "hum.wav", "--steps", "2"],
    }
    for name, given in words.items():
        more = [] if name == "steps" else ["--steps", "1"]
        assert point(*given, *more, "--as", "it", "-o", name).exit_code == 0
    found = {name: stem("it", name) for name in words}
    for name in words:
        assert sum(torch.equal(found[name], other) for other in found.values()) == 1, name


def test_the_manifest_says_what_pointed(point):
    midi("two.mid", ["flute", "oboe"])
    words = ["--target", "a", "--hum", "hum.wav", "--at", "-0.25", "--mask", "mask.png"]
    words += ["--target", "b", "--score", "two.mid", "--track", "oboe", "--seed", "3", "--candidates", "2", "--json"]
    result = point(*words)
    assert result.exit_code == 0
    [document] = lines(result)
    manifest = document["manifest"]
    first, second = manifest["provenance"]["targets"]
    hum, mask = first["guides"]
    assert (hum["kind"], hum["offset"], hum["recording"]["duration"]) == ("mimicry", -0.25, 1.0)
    assert mask["kind"] == "mask"
    assert len({mask["positive"], mask["negative"], hum["recording"]["sha256"]}) == 3
    assert [guide["kind"] for guide in second["guides"]] == ["mimicry"]
    assert manifest["provenance"]["settings"]["sampling"] == {"seed": 3, "steps": None, "candidates": 2}
    assert manifest["provenance"]["model"]["class"] == "Guidesep"
    assert [one["name"] for one in manifest["stems"]] == ["a", "b"]
    assert all(0 <= one["presence"] <= 1 for one in manifest["stems"])


def test_the_place_of_a_hum_is_found_and_told(point):
    write("song.wav", tune(4.0))
    write("hum.wav", tune(1.6, start=1.6))
    result = point("--hum", "hum.wav", "--at", "auto", "--steps", "1", "--json")
    assert result.exit_code == 0
    [guide] = lines(result)[0]["manifest"]["provenance"]["targets"][0]["guides"]
    assert guide["offset"] == pytest.approx(1.6, abs=0.05)


def saved(array):
    def write(path):
        with path.open("wb") as file:
            np.save(file, array)

    return write


def broken_picture(path):
    painted(80, 63).save(path, "PNG")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


BAD_HUMS = {
    "missing": (lambda path: None, "there is no such file"),
    "text": (lambda path: path.write_text("la la la"), "bad.x"),
    "cut off": (lambda path: path.write_bytes(Path("hum.wav").read_bytes()[:60]), "bad.x"),
    "silent": (lambda path: soundfile.write(path, np.zeros(RATE), RATE, format="WAV"), "is silent: check the microph"),
    "noise": (lambda path: soundfile.write(path, noise(1, RATE)[0].numpy(), RATE, format="WAV"), "has no pitch"),
}
BAD_SCORES = {
    "missing": (lambda path: None, "there is no such file"),
    "text": (lambda path: path.write_text("la la la"), "cannot be read as MIDI"),
    "no notes": (lambda path: midi(path, ["flute"], n_notes=0), "has no notes"),
    "16 tracks": (lambda path: midi(path, [f"part {number}" for number in range(1, 17)]), "has 16 tracks"),
    "drums": (lambda path: midi(path, ["kit"], channel=9), "is drums"),
}
BAD_MASKS = {
    "missing": (lambda path: None, "cannot be read"),
    "text": (lambda path: path.write_text("la la la"), "is no mask: give a PNG"),
    "cut off": (broken_picture, "is a damaged picture"),
    "empty": (lambda path: path.touch(), "is empty"),
    "black": (lambda path: Image.new("RGB", (63, 80)).save(path, "PNG"), "nothing is painted"),
    "transparent": (lambda path: Image.new("RGBA", (63, 80)).save(path, "PNG"), "nothing is painted"),
    "no shapes": (lambda path: path.write_text('{"positive": []}'), "nothing is painted"),
    "no JSON": (lambda path: path.write_text('{"positive": ['), "is no valid JSON"),
    "an empty shape": (
        lambda path: path.write_text('{"positive": [{"start": 1, "stop": 1}]}'), "positive[0] is empty: let start come"
    ),
    "zeros": (saved(np.zeros((80, 63))), "nothing is painted"),
    "numbers": (saved(np.full((80, 63), 7.0)), "give numbers from 0 to 1"),
}  # fmt: skip
BAD = [
    *(("--hum", *bad) for bad in BAD_HUMS.values()),
    *(("--score", *bad) for bad in BAD_SCORES.values()),
    *(("--mask", *bad) for bad in BAD_MASKS.values()),
    ("--not-mask", *BAD_MASKS["cut off"]),
]


@pytest.mark.parametrize(("option", "make", "hint"), BAD)
def test_guides_that_do_for_no_song_are_refused_before_any_file(point, monkeypatch, option, make, hint):
    monkeypatch.setattr("unbraid.zoo.load_model", lambda *_, **__: pytest.fail("loaded"))
    make(Path("bad.x"))
    result = point("--target", "lead", option, "bad.x", "--json", songs=("song.wav", "song.wav"))
    assert result.exit_code == 2
    [document] = lines(result)
    assert document["error"]["type"] == "GuideError"
    for part in ("target 'lead'", "bad.x", hint):
        assert part in document["error"]["message"]
    assert result.stderr.count("\n") == 1
    assert not Path("separated").exists()


def test_a_score_of_16_tracks_lists_them_all(point):
    midi("song.mid", [f"part {number}" for number in range(1, 17)])
    result = point("--score", "song.mid")
    assert "--track" in result.stderr
    assert all(f"{number} 'part {number}' (3 notes)" in result.stderr for number in range(1, 17))
    result = point("--score", "song.mid", "--track", "17")
    assert (result.exit_code, "has no track 17" in result.stderr) == (2, True)
    for track in ("12", "part 12"):
        assert point("--score", "song.mid", "--track", track, "--steps", "1").exit_code == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--hum", "hum.wav", "--hum", "hum.wav"], "a target has one melody"),
        (["--hum", "hum.wav", "--label", "vocals"], "takes Mask, Mimicry and Score, not Label"),
        (["--hum", "hum.wav", "--example", "hum.wav"], "not Examples"),
        (["--hum", "hum.wav", "--candidates", "65"], "candidates 65 is out of range: use 1 to 64"),
        (["--hum", "hum.wav", "--seed", str(1 << 63)], "is out of range"),
        (["--hum", "song.mid"], "is MIDI: give it as a score"),
        (["--hum", "hum.wav", "--as", "residual"], "one file"),
    ],
)
def test_requests_that_cannot_be_are_refused_before_any_file(point, words, hint):
    midi("song.mid", ["flute"])
    result = point(*words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert hint in result.stderr
    assert not Path("separated").exists()


@pytest.mark.parametrize("words", [["--steps", "0"], ["--candidates", "0"], ["--seed", "-1"], ["--steps", "many"]])
def test_draws_outside_of_their_range(point, words):
    result = point("--hum", "hum.wav", *words)
    assert result.exit_code == 2
    assert words[0] in result.stderr
    assert not Path("separated").exists()


@pytest.mark.parametrize("guide", [["--hum", "hum.wav"], ["--hum", "hum.wav", "--at", "auto"], ["--mask", "mask.png"]])
def test_a_network_of_mask_prediction_draws_nothing(point, tmp_path, guide):
    path = weights_of("guidesep-mask-debug", tmp_path / "mask.safetensors")
    result = point(*guide, "--steps", "5", "-m", path)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "draws nothing: leave steps and candidates out" in result.stderr
    assert not Path("separated").exists()
    if guide[-1] != "auto":
        assert point(*guide, "-m", path, "--as", "it").exit_code == 0
        assert stem("it").abs().max() > 0


def test_without_a_model_that_follows_the_message_names_one(desk):
    for words in (["--hum", "hum.wav"], ["--mask", "mask.png", "-m", "tuss-small"]):
        result = CliRunner().invoke(app, ["separate", "song.wav", *words], catch_exceptions=False)
        if result.exit_code != 0:  # as long as no GuideSep ships, or for the model that was named
            assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
            assert "not Mimicry" in result.stderr or "not Mask" in result.stderr
            assert "guidesep" in result.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--mask", "mask.png"], "mask.png is of another song: it lasts 0.50 s, the mixture 2.99 s"),
        (["--hum", "hum.wav", "--at", "2"], "from 2.00 to 3.00 s, lies outside of the mixture, which is 0.50 s long"),
        (["--hum", "hum.wav", "--at", "-1"], "lies outside of the mixture"),
        (["--hum", "hum.wav", "--at", "auto"], "the mimicry fits nowhere clearly"),
    ],
)
def test_a_guide_that_does_not_fit_a_song_fails_for_that_song_alone(point, words, hint):
    write("long.wav", Audio(noise(1, 3 * RATE), RATE))
    result = point(*words, "--steps", "1", "--json", songs=("song.wav", "long.wav"))
    outcomes = {one["file"]: one for one in lines(result)}
    failed = {file: one["error"] for file, one in outcomes.items() if "error" in one}
    assert result.exit_code == 1
    assert result.stderr.count("\n") == len(failed)
    for file, error in failed.items():
        assert error["type"] == "GuideError"
        assert error["message"].startswith(f"{file}: target ")
    assert any(hint in error["message"] for error in failed.values())
    done = {Path(file).stem for file in outcomes.keys() - failed.keys()}
    assert {name.split("/")[0] for name in (files() if Path("separated").exists() else [])} == done
    assert not list(Path().rglob(".unbraid-*"))


def test_sides_that_claim_the_same_place(point):
    Image.fromarray(np.full((80, N_FRAMES), 255, np.uint8)).save("white.png")
    result = point("--mask", "white.png", "--not-mask", "white.png")
    assert result.exit_code == 1
    assert "both sides claim" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("separated").exists()


def test_guide_files_are_never_overwritten(point):
    Path("separated/song").mkdir(parents=True)
    for option, name, source in (("--hum", "hum", "hum.wav"), ("--mask", "lead", "mask.png")):
        kept = Path(f"separated/song/{name}.wav")
        kept.write_bytes(Path(source).read_bytes())
        result = point(option, kept)
        assert result.exit_code == 1
        assert "overwrite" in result.stderr
        assert kept.read_bytes() == Path(source).read_bytes()
        assert files() == [f"song/{name}.wav"]
        kept.unlink()


def test_skip_existing_sees_what_has_changed(point):
    words = {"hum": ["hum.wav"], "at": ["0"], "mask": ["mask.png"], "seed": ["0"], "steps": ["1"]}

    def skipped(**changes):
        given = [word for name, value in {**words, **changes}.items() for word in (f"--{name}", *value)]
        result = point(*given, "--as", "it", "--skip-existing", "--json")
        assert result.exit_code == 0, result.stderr
        return lines(result)[0]["skipped"]

    assert not skipped()
    assert skipped()
    Path("hum.wav").rename("same hum.wav")
    assert skipped(hum=["same hum.wav"])
    write("hum.wav", tune(start=0.4))
    assert not skipped()
    assert skipped()
    painted(80, N_FRAMES, positive=(30, 50)).save("mask.png")
    assert not skipped()
    assert skipped()
    for change in ({"seed": ["1"]}, {"steps": ["2"]}, {"at": ["0.1"]}):
        assert not skipped(**change)
        assert skipped(**change)


def hummed(seconds=1.0):
    return Target("lead", Mimicry(tune(seconds)))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_rate_length_and_channels_come_back(model, rate, n_channels):
    for n_samples in (1, rate // 2):
        mixture = noise(n_channels, n_samples)
        result = separate(
            mixture, hummed(), model=model, sample_rate=rate, settings=Settings(sampling=Sampling(steps=1))
        )
        lead = result.stems["lead"]
        assert (lead.sample_rate, lead.samples.shape) == (rate, mixture.shape)
        assert torch.isfinite(lead.samples).all()
        assert torch.equal(result.residual.samples, mixture - lead.samples)
        assert 0 <= result.presence["lead"] <= 1


@pytest.mark.parametrize("n_samples", [65281, 160000])  # one more than a window of 4.08 s; 10 s
def test_long_recordings_come_back_whole(model, n_samples):
    mixture = noise(2, n_samples)
    mask = Mask(np.ones((2, 2)))
    result = separate(
        mixture, mask, model=model, sample_rate=16000, settings=Settings(overlap=0.1, sampling=Sampling(steps=1))
    )
    assert result.stems["mask"].samples.shape == mixture.shape
    starts = [start for start, _ in result.presence_curve]
    assert starts[0] == 0
    assert len(starts) > 8
    assert all(round(start * 44100) % model.step == 0 for start in starts[:-1])


@pytest.mark.parametrize(("container", "depth"), [("wav", "16"), ("wav", "24"), ("flac", "16"), ("flac", "24")])
def test_files_of_integers_add_up_to_the_bit(point, container, depth):
    write_audio("song.wav", Audio(noise(2, 5000), 22050), encoding=Encoding("wav", depth))
    result = point("--hum", "hum.wav", "--format", container, "--depth", depth, "--as", "it", "--steps", "1")
    assert result.exit_code == 0
    parts = [soundfile.read(f"separated/song/{name}.{container}", dtype="int32")[0] for name in ("it", "residual")]
    mixture = soundfile.read("song.wav", dtype="int32")[0]
    assert parts[0].any()
    assert np.array_equal(parts[0] + parts[1], mixture)


def test_runs_repeat_to_the_bit_and_neither_blocks_nor_batches_matter(model):
    mixture = noise(2, 7000)
    settings = Settings(sampling=Sampling(seed=5, steps=2, candidates=2))
    runs = [separate(mixture, hummed(), model=model, sample_rate=RATE, settings=settings) for _ in range(2)]
    whole = runs[0].stems["lead"].samples
    assert torch.equal(runs[1].stems["lead"].samples, whole)
    assert runs[0].presence_curve == runs[1].presence_curve
    stream = separate_stream(model, mixture.split(777, 1), hummed(), sample_rate=RATE, settings=settings)
    assert torch.equal(torch.cat([block.stems[0] for block in stream], dim=-1), whole)
    joined = Settings(sampling=settings.sampling, batch_size=3)
    together = separate(mixture, hummed(), model=model, sample_rate=RATE, settings=joined)
    torch.testing.assert_close(together.stems["lead"].samples, whole, rtol=0, atol=1e-4)
    other = Settings(sampling=Sampling(seed=6, steps=2, candidates=2))
    assert not torch.equal(
        separate(mixture, hummed(), model=model, sample_rate=RATE, settings=other).stems["lead"].samples, whole
    )


def test_memory_of_a_stream_is_bounded(model):
    n_in, n_out, most = 0, 0, 0

    def blocks():
        nonlocal n_in
        for index in range(30):
            n_in += 1000
            yield noise(1, 1000, seed=index)

    settings = Settings(sampling=Sampling(steps=1))
    for block in separate_stream(model, blocks(), hummed(4.0), sample_rate=RATE, settings=settings):
        n_out += block.mixture.shape[1]
        most = max(most, n_in - n_out)
    assert n_out == 30_000
    assert most < 2.5 * model.segment * RATE


def test_silence_stays_silent(model):
    result = separate(torch.zeros(2, 5000), hummed(), model=model, sample_rate=RATE)
    assert not result.stems["lead"].samples.any()
    assert result.presence == {"lead": 0.0}
