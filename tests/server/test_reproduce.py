"""A take as text does the same: the command line is parsed to the same guides, and the Python code runs."""

import json
import shlex

import pytest
from studio_server import wav_bytes

from unbraid.cli.request import read_targets
from unbraid.guides.kinds import spell_targets
from unbraid.guides.spec import TargetSpec, load_targets, read_request_spec
from unbraid.server.records import FileRow, SessionRow, TakeRow
from unbraid.server.reproduce import code_of

SONG, HUM, PAINT, OTHER = ("0" * 31 + str(number) for number in range(4))
NAMES = {SONG: "my song.mp3", HUM: "hum.wav", PAINT: "paint.png", OTHER: "HUM.wav"}
OPTIONS = {
    "--prompts": "prompts", "--task": "task", "--label": "label", "--example": "example", "--not": "negative",
    "--hum": "hum", "--score": "score", "--track": "track", "--at": "at", "--mask": "mask", "--not-mask": "anti_mask",
    "--target": "target",
}  # fmt: skip
REQUESTS = [
    [{"kind": "prompts", "names": ["vocals", "drums"]}],
    [{"kind": "task", "task": "speakers=2"}, {"kind": "label", "name": "sfx-mix"}],
    [{"name": "x", "guides": [{"kind": "mimicry", "file": HUM, "offset": 1.5}, {"kind": "mask", "positive": PAINT}]}],
    [{"name": "a b", "guides": [{"kind": "mimicry", "file": HUM, "offset": None}]}],
    [{"name": "x", "guides": [{"kind": "mimicry", "file": HUM, "offset": -1e-05}]}, {"kind": "label", "name": "bass"}],
    [{"name": "x", "guides": [{"kind": "score", "file": HUM, "track": 2, "offset": 1}]}],
    [{"name": "x", "guides": [{"kind": "score", "file": HUM, "track": "Flute"}]}],
    [{"name": "x", "guides": [{"kind": "examples", "positive": [{"file": HUM}, {"start": 1.5, "stop": 62}],
                               "negative": [{"file": OTHER}]}]}],
    [{"name": "x", "guides": [{"kind": "mask", "positive": PAINT, "negative": OTHER}]}],
    [{"name": "x", "guides": [{"kind": "label", "name": "bass"}]}, {"kind": "prompts", "names": ["sfx", "sfx"]}],
]  # fmt: skip


@pytest.fixture(scope="module")
def written(server):
    """Write any request as code."""
    session = server.session()
    for file_id, name in NAMES.items():
        server.studio.store.add_file(FileRow(file_id, session, name, size_bytes=1, sha256="", state="ready"))
    turn = iter(range(100))

    def write(targets, **settings):
        request = read_request_spec(targets)
        take = TakeRow(f"{next(turn):032}", session, SONG, targets, "tuss-small", settings)
        words = json.dumps(targets)
        server.studio.store.add_take(take, [file_id for file_id in NAMES if file_id in words])
        return code_of(server.studio, take), request

    return write


def parsed(command):
    """Return the targets that the command line asks for."""
    words = shlex.split(command)
    assert words[:3] == ["unbraid", "separate", "my song.mp3"]
    pairs = list(zip(words[3::2], words[4::2], strict=True))
    assert pairs[0] == ("-m", "tuss-small")
    return spell_targets(read_targets([(OPTIONS[option], value) for option, value in pairs if option in OPTIONS]))


@pytest.mark.parametrize("targets", REQUESTS, ids=json.dumps)
def test_the_command_line_asks_for_the_same(written, targets):
    code, request = written(targets)
    names = {file_id: name for name, file_id in code.files.items()}
    names_first = sorted(request, key=lambda one: isinstance(one, TargetSpec))
    assert parsed(code.command) == spell_targets(load_targets(tuple(names_first), files=lambda word: names[word]))


@pytest.mark.parametrize("targets", REQUESTS, ids=json.dumps)
def test_the_python_code_asks_for_the_same(written, targets):
    code, request = written(targets)
    names = {file_id: name for name, file_id in code.files.items()}
    scope = {}
    exec(code.python.split("separation =")[0], scope)
    assert spell_targets(scope["request"]) == spell_targets(load_targets(request, files=lambda word: names[word]))


def test_files_that_differ_in_case_only_get_names_of_their_own(written):
    code, _ = written(REQUESTS[7])
    assert code.files == {"my song.mp3": SONG, "hum.wav": HUM, "HUM-2.wav": OTHER}


def test_settings_are_said(written):
    code, _ = written(REQUESTS[0], overlap=0.5, precision="bf16", seed=3)
    assert code.command.endswith("--overlap 0.5 --precision bf16 --seed 3")
    assert "settings=unbraid.Settings(overlap=0.5, precision='bf16', sampling=unbraid.Sampling(seed=3))" in code.python


def test_shapes_become_a_document(written):
    shapes = {"positive": [{"start": 1, "stop": 2, "low": 100, "high": 400}]}
    code, _ = written([{"name": "x", "guides": [{"kind": "mask", "shapes": shapes}]}])
    [(name, text)] = code.documents.items()
    assert f"--mask {name}" in code.command
    assert f"unbraid.Mask({name!r})" in code.python
    from unbraid.guides.mask_shapes import read_shapes

    assert read_shapes(text, duration=3.0).positive.any()


def test_the_code_of_a_take_runs(server, tmp_path, monkeypatch, debug_weights, capsys):
    session = server.session()
    song = server.upload(session, wav_bytes(0.5), "it's.wav")["id"]
    take = server.take(session, song)
    code = server.get(f"/api/takes/{take['id']}/code").json()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it's.wav").write_bytes(wav_bytes(0.5))
    (tmp_path / "debug.safetensors").write_bytes(debug_weights.read_bytes())
    exec(code["python"], {})
    assert capsys.readouterr().out == "['vocals', 'drums']\n"


def test_a_session_that_is_gone_takes_nothing_along(server):
    """Rows of the fixture above have no folders: removing them must not fail."""
    session = "f" * 32
    server.studio.store.add_session(SessionRow(session))
    server.studio.store.add_file(FileRow("e" * 32, session, "x", size_bytes=1, sha256="", state="ready"))
    assert server.http.delete(f"/api/sessions/{session}").status_code == 204
