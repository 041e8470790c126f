"""Write the stored vectors of the FiLM U-Net: ``python tests/parity/make_film_unet_vectors.py``.

No weights of the paper are published, so these were made by this implementation; `plain_film_unet.py` computes the same
another way, and holds both to them.
"""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.layers.example_encoder import EncoderShape

VECTORS = Path(__file__).parent / "vectors"
SMALLEST = replace(PRESETS["few-shot-debug"], n_features=(3, 4, 5), presence=False)
LINEAR = EncoderShape(embedding_size=6, n_features=(3, 4), front_end="linear")
CASES: dict[str, FilmUnetConfig] = {
    "film_unet_negatives": SMALLEST,
    "film_unet_options": replace(
        SMALLEST,
        encoder=LINEAR,
        negatives=False,
        input="magnitude",
        mask="sigmoid",
        compression=4.0,
        decoder_activation="relu",
    ),
    "film_unet_classes": replace(SMALLEST, encoder=None, negatives=False, classes=("vocals", "drums", "bass")),
}


def draw_weights(model: FilmUnet, seed: int) -> dict[str, torch.Tensor]:
    """Return weights of which every one makes a difference."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(key: str, value: torch.Tensor) -> torch.Tensor:
        if key.endswith("num_batches_tracked"):
            return torch.tensor(7)
        noise = torch.randn(value.shape, generator=generator)
        if key.endswith(("norm.weight", "running_var")):
            return 0.5 + noise.abs()
        return noise * (0.3 if value.ndim != 4 else 0.15)

    return {key: drawn(key, value) for key, value in model.state_dict().items()}


def embed(model: FilmUnet, positive: torch.Tensor, negative: torch.Tensor | None) -> torch.Tensor:
    """Return the queries ``[B, E]`` of examples ``[B, n, N]``; negative ones are told of the first item alone."""
    mean = model.embed_examples(positive.flatten(0, 1)).unflatten(0, positive.shape[:2]).mean(dim=1)
    if negative is None:
        return model.combine(mean)
    rejected = model.embed_examples(negative[0]).mean(dim=0, keepdim=True)
    return model.combine(mean, torch.cat([rejected, torch.zeros_like(mean[1:])]))


def main() -> None:
    for seed, (name, config) in enumerate(CASES.items()):
        model = FilmUnet(config).eval()
        weights = draw_weights(model, seed)
        model.load_state_dict(weights)
        generator = torch.Generator().manual_seed(100 + seed)
        mixture, positive, negative = (
            0.2 * torch.randn(2, *n, generator=generator) for n in ((1501,), (2, 1200), (1, 1200))
        )
        content = {f"w.{key}": value for key, value in weights.items()} | {"in.mixture": mixture}
        with torch.no_grad():
            if config.encoder is None:
                query = model.embed_classes(["drums", "vocals"])
            else:
                told = negative if config.negatives else None
                query = embed(model, positive, told)
                content |= {"in.positive": positive, "in.negative": negative}
            estimate, magnitude = model.separate_windows(mixture, query)
        content |= {"out.query": query, "out.estimate": estimate, "out.magnitude": magnitude.contiguous()}
        save_file(content, VECTORS / f"{name}.safetensors")


if __name__ == "__main__":
    main()
