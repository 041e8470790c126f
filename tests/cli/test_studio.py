"""``unbraid studio`` refuses what cannot be before it listens, and says where it is."""

import socket

import pytest
from typer.testing import CliRunner

from unbraid.cli import studio
from unbraid.cli.main import app
from unbraid.errors import UnbraidError

pytest.importorskip("fastapi", reason="needs unbraid[studio]")


def run(*words, tmp_path):
    return CliRunner().invoke(app, ["studio", "--no-browser", "--data-dir", str(tmp_path / "data"), *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--token", "short"], "16 letters"),
        (["--device", "abacus"], "no such device"),
        (["--host", "no.such.host.example", "--token", "x" * 16], "cannot listen"),
        (["--model", "/no/such/model.safetensors"], "--model /no/such/model.safetensors: there is no such file"),
    ],
)
def test_what_cannot_be_is_refused_with_code_2(words, message, tmp_path):
    answer = run(*words, tmp_path=tmp_path)
    assert answer.exit_code == 2, answer.output
    assert message in answer.output


def test_a_model_that_is_called_like_one_that_ships_is_refused(tmp_path):
    (tmp_path / "tuss-small.safetensors").touch()
    answer = run("--model", str(tmp_path / "tuss-small.safetensors"), tmp_path=tmp_path)
    assert answer.exit_code == 2
    assert "another model is called" in answer.output


def test_a_port_that_is_taken_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = run("--port", str(taken.getsockname()[1]), tmp_path=tmp_path)
    assert answer.exit_code == 2
    assert "another --port" in answer.output


def test_the_next_port_is_taken_if_none_is_asked_for():
    from unbraid.server.run import open_socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with open_socket("127.0.0.1", port, is_fixed=False) as listening:
            assert port < listening.getsockname()[1] < port + 20


def test_two_studios_do_not_share_a_data_folder(tmp_path):
    from unbraid.server.folder import DataFolder

    first = DataFolder(tmp_path)
    with pytest.raises(UnbraidError, match="another studio uses this data folder"):
        DataFolder(tmp_path)
    first.close()
    DataFolder(tmp_path).close()


@pytest.mark.parametrize(
    ("host", "token", "address"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:1/"),
        ("::1", None, "http://[::1]:1/"),
        ("0.0.0.0", "a&b", "http://127.0.0.1:1/?token=a%26b"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(host, token, address):
    assert studio.address_of(host, 1, token) == address


def test_every_device_is_one_process():
    assert studio.pick_devices(["cpu", "cpu"]) == ("cpu",)
