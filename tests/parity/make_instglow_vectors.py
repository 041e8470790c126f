"""Write the stored vectors of InstGlow: ``python tests/parity/make_instglow_vectors.py``.

They were made by this implementation after it had reproduced vectors of the published one (layers and flows to 1e-6
relative, searches to 1e-3), and hold it to that result from then on. The tensors have the published names and shapes.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from published_instglow_tensors import Toy, published_instglow_tensors

from unbraid.models.instglow_network import Prior, negative_log_likelihood
from unbraid.models.instglow_search import SearchConfig, search
from unbraid.models.published_instglow import build_prior

VECTORS = Path(__file__).parent / "vectors"
N_FRAMES = 15


@dataclass(frozen=True)
class Case:
    """Sizes of two priors, their settings, and how they separate."""

    toy: Toy
    settings: dict
    search: SearchConfig


CASES = {
    "instglow_dilated": Case(
        Toy(),
        {"model": {"dilation_rate": 2, "sigmoid_scale": False}},
        SearchConfig(prior_weight=0.1, space="data", spread=0.1, n_iterations=4),
    ),
    "instglow_sigmoid": Case(
        Toy(n_channels=8, n_squeeze=3, n_split=6, n_layers=1, kernel_size=5),
        {"model": {"n_sqz": 3, "dilation_rate": 1, "sigmoid_scale": True}},
        SearchConfig(prior_weight=0.1, spread=0.1, n_iterations=6, masked=True, wiener=True),
    ),
}


def make_priors(weights: list[dict[str, Tensor]], case: Case) -> dict[str, Prior]:
    """Build the two priors of a case."""
    return {f"prior{n}": build_prior(one, case.settings, name="toy") for n, one in enumerate(weights)}


def answers(priors: dict[str, Prior], magnitude: Tensor, start: Tensor, case: Case) -> dict[str, Tensor]:
    """Return all that is stored of what the priors of a case answer."""
    prior = priors["prior0"]
    features = torch.nn.functional.pad(magnitude, (0, 0, 0, 1))
    with torch.no_grad():
        latents = prior(features, torch.tensor([N_FRAMES, N_FRAMES - 4]))
        features, log_determinant = prior.inverse(start[:, 0])
    found = search(priors, magnitude, config=case.search, start=start)
    return {
        "out.latents": latents.values,
        "out.log_determinant": latents.log_determinant,
        "out.likelihood": negative_log_likelihood(latents),
        "out.features": features,
        "out.features_log_determinant": log_determinant,
        "out.sources": found.sources,
        "out.objectives": torch.tensor(found.objectives),
    }


def main() -> None:
    for seed, (name, case) in enumerate(CASES.items()):
        toy, generator = case.toy, torch.Generator().manual_seed(100 + seed)
        weights = [published_instglow_tensors(toy, 10 * seed + n) for n in range(2)]
        magnitude = torch.rand(2, toy.n_channels - 1, N_FRAMES, generator=generator)
        n_frames = N_FRAMES - N_FRAMES % toy.n_squeeze
        start = case.search.spread * torch.randn(2, 2, toy.n_channels, n_frames, generator=generator)
        content = {f"w.{n}.{key}": value for n, one in enumerate(weights) for key, value in one.items()}
        content |= {"in.magnitude": magnitude, "in.start": start}
        content |= answers(make_priors(weights, case), magnitude, start, case)
        save_file({key: value.contiguous() for key, value in content.items()}, VECTORS / f"{name}.safetensors")


if __name__ == "__main__":
    main()
