"""Which priors take part in a take, and how they search: from the request to the stems, the code and the cache."""

import io
import shlex

import numpy as np
import pytest
import soundfile
import torch
from studio_server import RATE, wav_bytes

import unbraid
from unbraid import Audio, Label, priors
from unbraid.cli.request import read_priors
from unbraid.models.instglow import PRIORS, Instglow, InstglowConfig, choose_search
from unbraid.server.catalog import Catalog
from unbraid.server.schemas import NewTake
from unbraid.server.shelf import ModelChoice
from unbraid.zoo import save_weights

VOCALS = [{"kind": "label", "name": "vocals"}]
QUICK = {"priors": ["vocals", "drums", "residual"], "search": "quick"}


@pytest.fixture(scope="module")
def desk(server):
    session = server.session("priors")
    return session, server.upload(session, wav_bytes(0.5, seed=77))["id"]


@pytest.fixture(scope="module")
def take(server, desk):
    return server.take(*desk, targets=VOCALS, model="instglow", settings=QUICK)


def test_the_page_learns_what_can_be_chosen(server):
    models = {one["name"]: one for one in server.get("/api/models").json()}
    assert {"vocals", "drums", "bass", "other"} <= set(models["instglow"]["priors"])
    assert models["instglow"]["searches"][0] == "default"
    assert "quick" in models["instglow"]["searches"]
    assert (models["tuss-small"]["priors"], models["tuss-small"]["searches"]) == ([], [])


def test_stems_are_those_of_python(server, take):
    [job] = server.finished(take["id"])["jobs"]
    assert job["state"] == "done", job["error"]
    model = unbraid.load_model("instglow", priors=QUICK["priors"])
    choose_search(model, "quick")
    samples, _ = soundfile.read(io.BytesIO(wav_bytes(0.5, seed=77)), dtype="float32")
    expected = unbraid.separate(Audio(torch.from_numpy(samples.T.copy()), RATE), Label("vocals"), model=model)
    stem = server.get(f"/api/sounds/{job['stems'][0]['sound']}/samples", params={"start": 0, "stop": RATE // 2})
    found = np.frombuffer(stem.content, "<f4").reshape(-1, 2).T
    np.testing.assert_allclose(found, expected.stems["vocals"].samples.numpy(), atol=1e-4)


def test_the_code_says_it(server, take):
    code = server.get(f"/api/takes/{take['id']}/code").json()
    words = shlex.split(code["command"])
    assert read_priors([words[words.index("--priors") + 1]]) == QUICK["priors"]
    assert words[words.index("--search") + 1] == "quick"
    scope = {}
    exec(code["python"].split("request =")[0], scope)
    assert scope["model"].vocabulary == ("vocals", "drums", "residual")
    assert scope["model"].config.search.n_iterations == 12


def test_another_search_is_another_computation(server, desk, take):
    keys = set()
    for settings in (QUICK, {}, {"search": "quick"}, {"priors": ["vocals", "drums"], "search": "quick"}):
        one = server.take(*desk, targets=VOCALS, model="instglow", settings=settings)
        keys.add(server.studio.store.job(one["jobs"][0]["id"]).key)
        if settings != QUICK:
            server.http.delete(f"/api/takes/{one['id']}")
    assert len(keys) == 4
    assert server.studio.store.job(take["jobs"][0]["id"]).key in keys


def test_a_session_file_keeps_it(server, desk, take):
    server.finished(take["id"])
    packed = server.get(f"/api/sessions/{desk[0]}/export").content
    opened = server.post("/api/sessions/import", content=packed, headers={"content-type": "application/zip"}).json()
    kept = {name: value for name, value in opened["takes"][0]["settings"].items() if value is not None}
    assert kept == QUICK


def test_priors_choose_their_model(server, desk):
    body = {"song": desk[1], "targets": VOCALS, "settings": {"priors": ["vocals", "drums"]}}
    one = server.post(f"/api/sessions/{desk[0]}/takes", json=body).json()
    assert one["model"] == "instglow"
    server.http.delete(f"/api/takes/{one['id']}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"priors": ["vocals", "theremin"]}, "there is no prior of 'theremin' here: choose among"),
        ({"priors": ["vocals", "/etc/passwd.safetensors"]}, "there is no prior of '/etc/passwd.safetensors' here"),
        ({"priors": ["vocals"]}, "one prior alone (vocals) would take the whole mixture"),
        ({"priors": ["vocals", "vocals"]}, "two priors are of 'vocals'"),
        ({"priors": []}, "there are no priors to separate with"),
        ({"priors": ["drums", "bass"]}, "vocals"),
        ({"search": "magic"}, "there is no such search, only default"),
    ],
)
def test_what_cannot_be_put_together_is_refused(server, desk, settings, message):
    body = {"song": desk[1], "targets": VOCALS, "model": "instglow", "settings": settings}
    error = server.refused("POST", f"/api/sessions/{desk[0]}/takes", 422, json=body)
    assert message in error["message"]


def test_a_file_that_a_session_file_names_as_a_prior_is_not_opened():
    """Settings of imported takes come from elsewhere: they are looked at again when a job begins."""
    body = NewTake.model_validate({"song": "0" * 32, "targets": VOCALS, "settings": {"priors": ["/etc/x.safetensors"]}})
    with pytest.raises(unbraid.ModelError, match="there is no prior of"):
        Catalog().offer("instglow").chosen(ModelChoice.of(body.settings.model_dump(), "instglow"))


def test_fewer_priors_take_less_memory():
    offer = Catalog().offer("instglow")
    two = offer.chosen(ModelChoice.of({"priors": ["vocals", "drums"]}, "instglow"))
    assert 0 < two.n_bytes < 0.4 * offer.n_bytes
    assert offer.chosen(ModelChoice("instglow")).n_bytes == offer.n_bytes


def save_prior(folder, name, *, seed=0):
    """Save an untrained small prior."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(Instglow(InstglowConfig(names=(name,), priors=(PRIORS["debug"],))), folder / f"{name}.safetensors")


def test_the_catalog_notices_what_comes_to_the_library(monkeypatch, tmp_path):
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path))
    monkeypatch.setattr(priors, "SHIPPED", {})
    folder, seen = tmp_path / "priors", []
    for name in ("kazoo", "theremin"):
        save_prior(folder, name)
    catalog = Catalog()
    first = catalog.offer("instglow")
    assert catalog.offer("instglow") is first
    assert first.priors == ("kazoo", "theremin")
    save_prior(folder, "zither")
    seen.append(catalog.offer("instglow"))
    assert seen[-1].priors == ("kazoo", "theremin", "zither")
    assert seen[-1].chosen(ModelChoice("instglow", ("kazoo", "zither"))).vocabulary == ("kazoo", "zither")
    (folder / "zither.safetensors").unlink()
    save_prior(folder, "kazoo", seed=1)
    seen.append(catalog.offer("instglow"))
    assert seen[-1].priors == ("kazoo", "theremin")
    assert len({first.sha256, *(one.sha256 for one in seen)}) == 3
