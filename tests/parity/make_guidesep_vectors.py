"""Write the stored vectors of GuideSep: ``python tests/parity/make_guidesep_vectors.py``.

They were made by this implementation after it had reproduced vectors of the published one (to 2e-6
relative), and hold it to that result from then on. The tensors have the published names and shapes.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
from published_guidesep_tensors import Toy, published_guidesep_tensors

from unbraid.models.published_guidesep import build_guidesep

VECTORS = Path(__file__).parent / "vectors"
SETTINGS = {"resnet_groups": 2, "attn_heads": 2}
CASES = {
    "guidesep_diffusion": Toy(multipliers=(1,), attention=(True,)),
    "guidesep_mask": Toy(multipliers=(2,), attention=(True,), noisy=False),
}


def main() -> None:
    for seed, (name, toy) in enumerate(CASES.items()):
        tensors = published_guidesep_tensors(toy, seed)
        model = build_guidesep(tensors, SETTINGS, name=name)
        generator = torch.Generator().manual_seed(100 + seed)
        waves = torch.randn(2, 2, 16 * 7, generator=generator)
        masks = torch.rand(2, 2, toy.n_mels, 8, generator=generator)
        with torch.no_grad():
            given = model.listen(waves[0], waves[1], masks[0], None)
            spectrogram = model.analyze(waves[0]) if toy.noisy else model.transform(waves[0]).abs()[:, None]
            condition = model.channels(given, spectrogram)
            if toy.noisy:
                estimate = model.denoise(spectrogram, condition, torch.tensor([0.1, 3.0]))
                sampled = model.sample(condition, spectrogram)
            else:
                estimate = sampled = model.estimate_magnitude(spectrogram, condition)
        content = {f"w.{key}": value for key, value in tensors.items()}
        results = {"out.condition": condition, "out.estimate": estimate.clone(), "out.sampled": sampled.clone()}
        path = VECTORS / f"{name}.safetensors"
        save_file({**content, "in.waves": waves, "in.positive": masks[0].clone(), **results}, path)


if __name__ == "__main__":
    main()
