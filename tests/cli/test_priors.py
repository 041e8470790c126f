"""Priors through the door: the list, adding and removing, and separating with them."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from unbraid import Audio
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.zoo import save_weights


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """A song, three priors, and an empty library."""
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setattr("unbraid.priors.SHIPPED", {})
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("vocals", "drums", "kazoo")):
        torch.manual_seed(number)
        model = Instglow(InstglowConfig(names=(name,), priors=(PRIORS["debug"],)))
        for block in model.priors[0].blocks:
            torch.nn.init.normal_(block.norm.bias)
        save_weights(model, f"{name}.safetensors", card={"steps": 1000 + number, "training_data": ["solos", "more"]})
    write_song(8000)
    return tmp_path


def write_song(rate):
    samples = 0.3 * torch.rand(2, rate // 2, generator=torch.Generator().manual_seed(0))
    write_audio("song.wav", Audio(samples, rate), encoding=Encoding("wav", "16"))


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def add(*names):
    for name in names:
        assert call("priors", "add", f"{name}.safetensors").exit_code == 0


def test_an_empty_list_says_what_to_do():
    result = call("priors")
    assert result.exit_code == 0
    assert "There are no priors yet: train one" in result.stdout
    assert json.loads(call("priors", "--json").stdout) == {}


def test_what_is_added_is_listed_and_what_is_removed_is_not(desk):
    result = call("priors", "add", "kazoo.safetensors")
    assert result.stdout.strip() == f"kazoo: added as {desk / 'library' / 'priors' / 'kazoo.safetensors'}"
    first, second, third = call("priors").stdout.splitlines()
    assert first == "kazoo  (yours)"
    assert second == "  0.01 M parameters, hears 22050 Hz; trained for 1002 steps with solos, more"
    assert third.strip().endswith("kazoo.safetensors")
    listed = json.loads(call("priors", "--json").stdout)
    assert listed["kazoo"]["card"]["steps"] == 1002
    assert listed["kazoo"]["n_parameters"] > 1000
    assert call("priors", "remove", "kazoo").exit_code == 0
    assert json.loads(call("priors", "--json").stdout) == {}


def test_damaged_files_are_complained_about_and_the_others_listed(desk):
    add("kazoo")
    (desk / "library" / "priors" / "broken.safetensors").write_bytes(b"no weights")
    result = call("priors")
    assert result.exit_code == 0
    assert result.stdout.startswith("kazoo")
    [line] = result.stderr.splitlines()
    assert "broken.safetensors: damaged file of a prior" in line


def test_a_song_is_separated_with_the_priors_named():
    add("vocals", "drums")
    result = call("separate", "song.wav", "--priors", "vocals, drums, kazoo.safetensors", "-q")
    assert result.exit_code == 0, result.output
    folder = Path("separated/song")
    names = ["vocals", "drums", "kazoo", "residual"]
    assert sorted(path.stem for path in folder.glob("*.wav")) == sorted(names)
    total = sum(read_audio(folder / f"{name}.wav").samples for name in names)
    assert torch.equal(total, read_audio("song.wav").samples)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model"] == "instglow (vocals, drums, kazoo.safetensors)"


def test_the_residual_is_what_the_priors_do_not_explain():
    add("vocals", "drums")
    write_song(44100)
    words = ["separate", "song.wav", "--search", "mle", "--quiet"]
    result = call(*words, "--priors", "vocals,residual, drums", "-o", "left")
    assert result.exit_code == 0, result.output
    assert call(*words, "--priors", "vocals,drums", "-o", "shared").exit_code == 0
    assert call(*words, "--priors", "vocals,residual", "-o", "alone").exit_code == 0
    song = read_audio("song.wav").samples
    left, shared, alone = (
        {path.stem: read_audio(path).samples for path in Path(folder, "song").glob("*.wav")}
        for folder in ("left", "shared", "alone")
    )
    assert left.keys() == shared.keys() == {"vocals", "drums", "residual"}
    assert alone.keys() == {"vocals", "residual"}
    assert torch.equal(sum(left.values()), song)
    assert float(left["residual"].norm()) > 1.2 * float(shared["residual"].norm())
    manifest = json.loads(Path("left/song/manifest.json").read_text())
    assert manifest["model"] == "instglow (vocals, residual, drums)"


def test_the_residual_beside_labels_has_a_name_of_its_own():
    add("vocals", "drums")
    write_song(44100)
    words = ["separate", "song.wav", "--priors", "vocals,drums,residual", "--quiet"]
    assert call(*words, "-o", "all").exit_code == 0
    asked = ["--label", "drums", "--target", "unexplained", "--label", "residual"]
    assert call(*words, *asked, "-o", "some").exit_code == 0
    assert call(*words, "--label", "residual", "--no-residual", "-o", "alone").exit_code == 0
    assert sorted(path.stem for path in Path("some/song").glob("*.wav")) == ["drums", "residual", "unexplained"]
    assert [path.stem for path in Path("alone/song").glob("*.wav")] == ["residual"]
    expected = read_audio("all/song/residual.wav").samples
    for path in ("some/song/unexplained.wav", "alone/song/residual.wav"):
        assert float((read_audio(path).samples - expected).norm()) < 0.01 * float(expected.norm())


def test_a_label_is_one_of_the_stems():
    add("vocals", "drums")
    result = call("separate", "song.wav", "-m", "instglow", "--priors", "vocals,drums", "--label", "drums")
    assert result.exit_code == 0, result.output
    assert sorted(path.stem for path in Path("separated/song").glob("*.wav")) == ["drums", "residual"]
    assert call("separate", "song.wav", "-m", "instglow", "--label", "vocals", "-o", "all").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--priors", "vocals,vocal"], "no prior of 'vocal': did you mean 'vocals'?"),
        (["--priors", "vocals,theremin"], "no prior of 'theremin': there are drums, vocals"),
        (["--priors", "vocals,gone.safetensors"], "gone.safetensors: there is no such file"),
        (["--priors", "vocals,broken.safetensors"], "broken.safetensors: damaged file of a prior"),
        (["--priors", "vocals,song.wav"], "no prior of 'song.wav'"),
        (["--priors", "vocals"], "one prior alone (vocals) would take the whole mixture"),
        (["--priors", "vocals,drums,vocals"], "two priors are of 'vocals'"),
        (["--priors", "vocals,residual,residual"], "two priors are of 'residual'"),
        (["--priors", "residual"], "residual is what priors leave"),
        (["--priors", "vocals,residual", "--no-residual"], "--no-residual leaves it out"),
        (["--priors", "vocals,drums", "--label", "residual"], "residual is not among --priors vocals,drums: add it"),
        (["--priors", "vocals,drums", "--label", "kazoo.safetensors"], "unknown label 'kazoo.safetensors'"),
        (["--priors", "drums,kazoo.safetensors", "--label", "vocals"], "--label vocals is not among --priors drums,ka"),
        (["--priors", "vocals drums"], "did you mean 'vocals,drums'?"),
        (["--priors", "vocals", "--priors", "drums,vocals"], "two priors are of 'vocals'"),
        (["--priors", "vocals,drums,residual", "--label", "residual"], "call it --target unexplained --label residual"),
        (["--priors", "vocals,residual", "--target", "residual", "--label", "residual"], "written to one file"),
        (["--priors", "vocals,,drums"], "names nothing in one place"),
        (["--priors", ""], "names nothing in one place"),
        (["--priors", "vocals,slow.safetensors"], "'vocals' and 'slow' hear different spectrograms"),
        (["--priors", "vocals,drums", "-m", "tuss-small"], "tuss-small takes no priors"),
        (["--priors", "vocals,drums", "--label", "kazoo"], "unknown label 'kazoo'"),
        (["--priors", "vocals,drums", "--search", "magic"], "there is no such search, only default, curvature"),
        (["-m", "tuss-small", "--task", "music", "--search", "mle"], "tuss-small has none"),
        (["--priors", "vocals,drums", "--example", "song.wav"], "instglow takes Label, not Examples"),
    ],
)
def test_bad_priors_are_refused_before_any_work(words, message):
    add("vocals", "drums")
    whole = Path("drums.safetensors").read_bytes()
    Path("broken.safetensors").write_bytes(whole[: len(whole) // 2])
    shape = PRIORS["debug"].__class__(**{**vars(PRIORS["debug"]), "sample_rate": 16000})
    save_weights(Instglow(InstglowConfig(names=("slow",), priors=(shape,))), "slow.safetensors")
    result = call("separate", "song.wav", *words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not Path("separated").exists()


def test_bad_files_are_not_added():
    Path("broken.safetensors").write_bytes(b"no weights")
    for name, message in (("broken", "damaged file"), ("gone", "no such file")):
        result = call("priors", "add", f"{name}.safetensors")
        assert result.exit_code == 2
        assert message in result.stderr
    assert "song.wav: is no prior: give a .safetensors file" in call("priors", "add", "song.wav").stderr
    add("kazoo")
    assert "already" in call("priors", "add", "kazoo.safetensors").stderr
    assert call("priors", "remove", "theremin").exit_code == 2
    assert not Path("library/priors/broken.safetensors").exists()


def test_the_search_of_the_paper_is_another_one():
    add("vocals", "drums")
    stems = {}
    for search in ("default", "map"):
        result = call("separate", "song.wav", "--priors", "vocals,drums", "--search", search, "-o", search, "--quiet")
        assert result.exit_code == 0, result.stderr
        stems[search] = Path(search, "song", "vocals.wav").read_bytes()
    assert stems["default"] != stems["map"]
