"""InstGlow against stored vectors: our own, and those of the published implementation where they are at hand."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from unbraid.models.instglow_network import Prior, negative_log_likelihood
from unbraid.models.instglow_search import SearchConfig, search
from unbraid.models.layers.flow import ActNorm, squeeze
from unbraid.models.published_instglow import build_prior

sys.path.insert(0, str(Path(__file__).parent))
from make_instglow_vectors import CASES, VECTORS, answers, make_priors

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "instglow"
TOLERANCE = 1e-4
# The first steps of Adam are hardly more than signs: where a gradient is next to nothing, rounding says which way.
SOURCES_TOLERANCE = 5e-3
MEAN_STEP_TOLERANCE, STEP_TOLERANCE = 5e-4, 0.03  # of a learning rate and step
RUNS = ["mle", "map", "mapz", "mle_masked_wiener"]

golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the vectors of the published implementation are not here")


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate.detach() - reference).abs().max() / reference.abs().max())


def published(tensors: dict[str, Tensor], prefix: str = "w.") -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def load_golden(name: str) -> tuple[dict, dict[str, Tensor]]:
    path = GOLDEN / f"{name}.safetensors"
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["config"]), load_file(path)


@golden
def test_golden_first_scales():
    config, content = load_golden("actnorm_ddi")
    norm = ActNorm(config["channels"])
    norm.initialize(content["in.x"], content["in.mask"])
    assert relative(norm.bias, content["out.bias"]) < TOLERANCE
    assert relative(norm.log_scale, content["out.logs"]) < TOLERANCE
    scaled, log_determinant = norm(content["in.x"], content["in.mask"])
    assert relative(scaled, content["out.y"]) < TOLERANCE
    assert relative(log_determinant, content["out.logdet"]) < TOLERANCE


@pytest.fixture(scope="module")
def flow() -> tuple[Prior, dict[str, Tensor]]:
    config, content = load_golden("flow")
    return build_prior(published(content), config, name="flow"), content


@golden
@torch.no_grad()
def test_golden_flow(flow):
    prior, content = flow
    latents = prior(content["in.x"], content["in.lengths"])
    assert torch.equal(latents.mask, content["out.mask"])
    assert relative(latents.values, content["out.z"]) < TOLERANCE
    assert relative(latents.log_determinant, content["out.logdet"]) < TOLERANCE
    assert relative(negative_log_likelihood(latents), content["out.nll"]) < TOLERANCE
    restored, _ = prior.inverse(latents.values, content["in.lengths"])
    assert relative(restored, content["out.x_roundtrip"]) < TOLERANCE
    restored, log_determinant = prior.inverse(content["in.z"], content["in.lengths"])
    assert relative(restored, content["out.x_from_z"]) < TOLERANCE
    assert relative(log_determinant, content["out.logdet_inv"]) < TOLERANCE


@golden
@torch.no_grad()
def test_golden_layers(flow):
    prior, content = flow
    x = squeeze(content["in.x"][..., :24], prior.config.n_squeeze)
    assert torch.equal(x, content["out.squeezed"])
    block = prior.blocks[0]
    for layer, name in ((block.norm, "actnorm"), (block.mix, "invconv"), (block.coupling, "coupling")):
        answer, log_determinant = layer(x)  # each of the same features
        assert relative(answer, content[f"out.{name}"]) < TOLERANCE
        assert relative(log_determinant, content[f"out.{name}_ld"]) < TOLERANCE


def read_run(run: dict) -> SearchConfig:
    """Turn the published settings of a search into ours."""
    return SearchConfig(
        prior_weight=run["alpha2"],
        space={"x": "data", "z": "latent"}[run["optSpace"]],
        data_weight=run["alpha1"],
        spread=run["sigma"],
        learning_rate=run["lr"],
        n_iterations=run["iteration"],
        masked=run.get("mask", False),
        wiener=run.get("wiener", False),
    )


@golden
@pytest.mark.parametrize("name", RUNS)
def test_golden_separation(name):
    config, content = load_golden("separation")
    weights = {source: published(content, f"w.{source}.") for source in ("prior0", "prior1")}
    priors = {source: build_prior(tensors, config, name=source) for source, tensors in weights.items()}
    settings = read_run(config["runs"][name])
    start = settings.spread * content["in.z0_unit"]
    found = search(priors, content["in.mix_mag"], config=settings, start=start)
    assert relative(torch.tensor(found.objectives), content[f"out.{name}.loss"]) < TOLERANCE
    sources = content[f"out.{name}.x"].transpose(0, 1)
    assert relative(found.sources, sources) < SOURCES_TOLERANCE
    assert float((found.sources - sources).norm() / sources.norm()) < SOURCES_TOLERANCE / 5

    seen: list[Tensor] = []  # with one iteration more, to see the latents after the last step
    longer = replace(settings, n_iterations=settings.n_iterations + 1, recompute=True)
    search(
        priors, content["in.mix_mag"], config=longer, start=start, watch=lambda now: seen.append(now.latents.clone())
    )
    trajectory = content[f"out.{name}.z_traj"]
    assert len(seen) == len(trajectory)
    assert torch.equal(seen[0], trajectory[0])
    for mine, theirs in zip(seen, trajectory, strict=True):
        assert float((mine - theirs).abs().max()) < STEP_TOLERANCE * settings.learning_rate * len(seen)
        assert float((mine - theirs).abs().mean()) < MEAN_STEP_TOLERANCE * settings.learning_rate * len(seen)


@pytest.mark.parametrize("name", sorted(CASES))
def test_stored_vectors(name):
    content = load_file(VECTORS / f"{name}.safetensors")
    priors = make_priors([published(content, f"w.{n}.") for n in range(2)], CASES[name])
    answered = answers(priors, content["in.magnitude"], content["in.start"], CASES[name])
    for key, value in answered.items():
        assert relative(value, content[key]) < (SOURCES_TOLERANCE if key == "out.sources" else TOLERANCE), key
