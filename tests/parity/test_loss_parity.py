"""The losses against stored vectors: our own, and those of the published implementation where they are at hand."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from unbraid.models.losses import permuted_loss, prompted_loss, prompted_metric, si_sdr, snr, sorted_loss

OWN = Path(__file__).parent / "vectors" / "loss.safetensors"
PUBLISHED = Path(__file__).parents[2].parent / "shared" / "golden" / "tuss" / "loss.safetensors"


def load(path):
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return tensors, json.loads(file.metadata()["config"])["prompts"]


def test_own_vectors():
    vectors, prompts = load(OWN)
    pair = {"estimate": vectors["in.estimate"], "reference": vectors["in.reference"]}
    second = {name: signals[1:] for name, signals in pair.items()}
    permuted = permuted_loss(estimate=vectors["in.estimate_4"], reference=vectors["in.reference_2"])
    results = {
        "prompted": prompted_loss(**pair, prompts=prompts).losses,
        "permuted": permuted.losses,
        "sorted": sorted_loss(**pair, prompts=prompts).losses,
        "si_sdr": prompted_metric(si_sdr, **second, prompts=prompts[1:]),
        "snr": snr(**second),
    }
    assert {f"out.{name}" for name in results} == {name for name in vectors if name.startswith("out.")}
    for name, values in results.items():
        torch.testing.assert_close(values, vectors[f"out.{name}"], rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published vectors are not beside this checkout")
def test_published_vectors():
    vectors, prompts = load(PUBLISHED)
    pair = {"estimate": vectors["in.est"], "reference": vectors["in.ref"]}
    by_prompt = [0, 2, 1]  # the published lists go prompt by prompt: speech, speech, sfx-mix
    losses = prompted_loss(**pair, prompts=prompts).losses
    torch.testing.assert_close(losses[:, by_prompt], vectors["out.per_prompt_list"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(losses.mean(), vectors["out.per_prompt_loss"], rtol=1e-4, atol=1e-4)
    metric = prompted_metric(si_sdr, **pair, prompts=prompts)
    torch.testing.assert_close(-metric[:, by_prompt], vectors["out.sisnr_list"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(-snr(**pair), vectors["out.snr_list"], rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published vectors are not beside this checkout")
def test_published_vectors_of_free_permutation():
    vectors, _ = load(PUBLISHED)
    padded = permuted_loss(estimate=vectors["in.est4"], reference=vectors["in.ref2"])
    torch.testing.assert_close(padded.losses.mean(), vectors["out.pit_4out_2ref_loss"], rtol=1e-4, atol=1e-4)
    silent = permuted_loss(estimate=vectors["in.est"], reference=vectors["in.ref_sil"])
    torch.testing.assert_close(silent.losses, vectors["out.zeroref_silent_in_ref"], rtol=1e-4, atol=1e-4)
