"""How priors are trained: the loss, the scores, and first scales that training really begins with."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unbraid.audio.stft import Stft
from unbraid.datasets.solo_clips import SoloBatch
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS, Prior
from unbraid.training.checkpoints import LAST, load_checkpoint
from unbraid.training.export import export_run
from unbraid.training.instglow_step import PriorStep, features_of, prior_of
from unbraid.training.loop import Place, train
from unbraid.training.recipe import Recipe, load_recipe
from unbraid.zoo import read_file, read_weights

RECIPES = Path(__file__).parents[2] / "recipes"
CPU = Place("cpu")
STEP = PriorStep(n_batches=2)
DEBUG = InstglowConfig(names=("guitar",), priors=(PRIORS["debug"],))


class Clips:
    """Low noise of different lengths: the upper half of its bins is a thousand times quieter."""

    def __getitem__(self, index):
        samples = torch.randn(3, 1200, generator=torch.Generator().manual_seed(index)).cumsum(dim=1) / 30
        lengths = torch.tensor([1200, 800, 1000])
        return SoloBatch(samples * (torch.arange(1200) < lengths[:, None]), lengths)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Instglow(DEBUG)


def test_features_are_magnitudes_of_the_clip_alone(model):
    batch = Clips()[0]
    features, lengths = features_of(prior_of(model), batch)
    assert features.shape == (3, 34, 76)
    assert lengths.tolist() == [76, 50, 62]
    stft = Stft(64, 16, window="hann", reflect=True)
    assert torch.equal(features[1, :33, :50], stft(batch.mixture[1:2, :800]).abs()[0, :, :50])
    assert not features[:, 33].any()
    assert not features[1, :, 50:].any()


def test_the_loss_is_that_of_the_frames_that_count(model):
    STEP.prepare(model, Clips())
    model.eval()
    batch = Clips()[5]
    with torch.no_grad():
        loss, numbers = STEP.loss(model, batch)
        scores = STEP.score(model, batch)
    weights = torch.tensor([76.0, 50.0, 62.0])
    assert float(loss) == pytest.approx(float((torch.tensor(scores["loss"]) * weights).sum() / weights.sum()), abs=1e-4)
    assert float(numbers["latents"]) > 0
    assert len(scores["inversion"]) == 3
    assert max(scores["inversion"]) < 1e-4


def test_a_prior_begins_with_whitened_channels(model):
    STEP.prepare(model, Clips())
    features, lengths = features_of(prior_of(model), Clips()[0])
    with torch.no_grad():
        latents = prior_of(model)(features, lengths)
    assert latents.mask is not None
    counted = latents.values[latents.mask.expand_as(latents.values) > 0]
    assert float(counted.square().mean().sqrt()) < 1.5
    assert model.training


def test_quiet_channels_do_not_blow_up():
    """Channels that are a thousand times quieter are not made as loud as the others."""
    features = torch.randn(2, 34, 100, generator=torch.Generator().manual_seed(0)).abs()
    features[:, 20:] /= 1000
    scales = {}
    for floor in (0.0, 1e-2):
        prior = Prior(PRIORS["debug"])
        prior.initialize(features, variance_floor=floor)
        scales[floor] = prior.blocks[0].norm.log_scale.detach().exp().flatten()
    assert float(scales[0.0][20:34].min()) > 500
    assert float(scales[1e-2].max()) < 30
    assert torch.equal(scales[0.0][:20], scales[1e-2][:20])


def test_a_published_start_is_still_there():
    """Without a floor, the first scales are the published ones."""
    torch.manual_seed(0)
    one, other = Prior(PRIORS["debug"]), Prior(PRIORS["debug"])
    other.load_state_dict(one.state_dict())
    features = torch.rand(2, 34, 10)
    one.initialize(features)
    other.initialize(features, variance_floor=0.0)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def make_recipe(**change):
    recipe = Recipe(
        model=partial(Instglow, DEBUG),
        batches=Clips,
        prepare=STEP.prepare,
        loss=STEP.loss,
        sample_rate=22050,
        steps=4,
        precision="fp32",
        average=0.9,
        n_workers=0,
    )
    return replace(recipe, **change)


def test_training_begins_prepared_and_never_again_after_a_stop(tmp_path):
    calls = []

    def prepare(model, batches):
        calls.append(True)
        STEP.prepare(model, batches)

    torch.manual_seed(20240618)
    prepared = Instglow(DEBUG)
    STEP.prepare(prepared, Clips())
    recipe = make_recipe(prepare=prepare)
    train(replace(recipe, steps=0), tmp_path / "parts", place=CPU)
    start = load_checkpoint(tmp_path / "parts" / LAST)
    for name, weight in prepared.state_dict().items():
        assert torch.equal(start.weights[name], weight)
        assert torch.equal(start.average[name], weight)
    train(replace(recipe, steps=2), tmp_path / "parts", place=CPU, resume=True)
    train(recipe, tmp_path / "parts", place=CPU, resume=True)
    assert len(calls) == 1
    train(recipe, tmp_path / "whole", place=CPU)
    whole, parts = (load_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert all(torch.equal(weight, parts.weights[name]) for name, weight in whole.weights.items())
    assert all(torch.equal(weight, parts.average[name]) for name, weight in whole.average.items())


def test_training_makes_clips_of_the_source_likelier(tmp_path):
    recipe = make_recipe(steps=60, average=None)
    recipe = replace(recipe, schedule=replace(recipe.schedule, peak=3e-3, warmup_steps=0))
    values = []
    for steps in (0, 60):
        train(replace(recipe, steps=steps), tmp_path / "run", place=CPU, resume=True)
        model = Instglow(DEBUG)
        model.load_state_dict(load_checkpoint(tmp_path / "run" / LAST).weights)
        with torch.no_grad():
            values.append(np.mean(STEP.score(model.eval(), Clips()[1000])["loss"]))
    assert values[1] < values[0] - 0.1


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        (tmp_path / "solos").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "solos" / f"{number}.wav", 0.1 * rng.standard_normal(6 * 22050), 22050)
    return tmp_path / "solos"


def test_published_settings(folder):
    recipe = load_recipe(RECIPES / "instglow.py", settings={"source": "guitar", "data": [folder]})
    assert recipe.model.args[0].priors == (PRIORS["published"],)
    assert recipe.model.args[0].names == ("guitar",)
    rates = [recipe.schedule.learning_rate(step) for step in (0, 79_999, 80_000, 160_000)]
    assert rates == pytest.approx([1e-4, 1e-4, 3e-5, 9e-6])
    assert (recipe.optimizer.weight_decay, recipe.optimizer.betas, recipe.optimizer.eps) == (0.0, (0.9, 0.999), 1e-8)
    assert (recipe.clip, recipe.seed, recipe.precision, recipe.average) == (4.0, 1234, "fp32", None)
    batches = recipe.batches()
    assert batches.batch_size == 32
    assert batches.settings.crop is None
    assert batches[0].mixture.shape == (32, 5 * 22050)
    assert sum(len(batch.lengths) for batch in recipe.validation.datasets()["clips"]) == 2


def test_the_small_one_trains_from_a_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("UNBRAID_STEPS", "2")
    recipe = load_recipe(RECIPES / "instglow_small.py", settings={"source": "guitar", "data": [folder]})
    assert recipe.schedule.is_over(2, seconds=0)
    assert sum(weight.numel() for weight in recipe.model().parameters()) <= 2_000_000
    debug = InstglowConfig(names=("guitar",), priors=(PRIORS["debug"],))
    tiny = replace(recipe, model=partial(Instglow, debug), prepare=STEP.prepare, epoch_steps=2)
    outcome = train(tiny, tmp_path / "run", place=CPU)
    assert outcome.finished
    assert outcome.progress.best[0].loss < 10


def test_a_run_becomes_a_file_that_says_what_it_learned_from(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("UNBRAID_STEPS", "1")
    loaded = load_recipe(RECIPES / "instglow_small.py", settings={"source": "guitar", "data": [folder]})
    tiny = replace(loaded, model=partial(Instglow, DEBUG), batches=Clips, prepare=STEP.prepare)
    train(tiny, tmp_path / "run", place=CPU)
    without_data = load_recipe(RECIPES / "instglow_small.py", settings={"source": "guitar"})
    again = replace(without_data, model=partial(Instglow, DEBUG))
    export_run(again, tmp_path / "run", tmp_path / "guitar.safetensors")
    header, _ = read_file(tmp_path / "guitar.safetensors")
    card = json.loads(header["card"])
    assert (card["source"], card["training_data"], card["steps"]) == ("guitar", ["solos"], 1)
    assert read_weights(tmp_path / "guitar.safetensors").vocabulary == ("guitar",)
