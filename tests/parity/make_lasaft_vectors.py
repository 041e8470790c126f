"""Write the stored vectors of LaSAFT: ``python tests/parity/make_lasaft_vectors.py``.

They were made by this implementation after it had reproduced vectors of the published one (to 1e-6 relative), and
hold it to that result from then on. The tensors have the published names and shapes.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
from published_lasaft_tensors import Toy, published_lasaft_tensors

from unbraid.models.published_lasaft import build_lasaft

VECTORS = Path(__file__).parent / "vectors"
CASES = {
    "lasaft_both": (Toy(), "leaky_relu"),
    "lasaft_query": (Toy(key=False, n_levels=1), "relu"),
    "lasaft_key": (Toy(query=False, n_levels=1), "relu"),
    "lasaft_none": (Toy(query=False, key=False, n_levels=1), "relu"),
    "lasaft_audio": (Toy(n_labels=0, n_levels=1), "relu"),
    "lasaft_v1_heavy": (Toy(version=1, light=False, n_latent=2, n_levels=1), "relu"),
    "lasaft_v1_light": (Toy(version=1, query_size=4, n_levels=1), "relu"),
}
HOP, N_FRAMES = 32, 8


def main() -> None:
    for seed, (name, (toy, activation)) in enumerate(CASES.items()):
        tensors = published_lasaft_tensors(toy, seed)
        settings = {"hop_length": HOP, "num_frame": N_FRAMES, "activation": activation}
        model = build_lasaft(tensors, settings, name=name)
        waves = torch.randn(2, 2, HOP * (N_FRAMES - 1), generator=torch.Generator().manual_seed(100 + seed))
        with torch.no_grad():
            queries = model.embed_labels(model.vocabulary[1:3]) if toy.n_labels else model.embed_waveforms(waves)
            estimate = model.separate_windows(waves, queries)
        content = {f"w.{key}": value for key, value in tensors.items()}
        results = {"out.queries": queries, "out.estimate": estimate.contiguous()}
        save_file({**content, "in.waves": waves, **results}, VECTORS / f"{name}.safetensors")


if __name__ == "__main__":
    main()
