"""Write the stored vectors of TUSS: ``python tests/parity/make_tuss_vectors.py``.

They were made by this implementation after it had reproduced vectors of the published one (to 1.2e-5 relative
or better), and hold it to that result from then on. The tensors have the published names and shapes.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
from published_tensors import Toy, published_tensors

from unbraid.models.published import build_tuss

VECTORS = Path(__file__).parent / "vectors"
CASES = {
    "tuss_prompted": (Toy(), [["speech", "sfx", "speech"], ["vocals", "bass", "drums"]]),
    "tuss_without_sos": (Toy(sos=False), [["music-mix", "speech"]]),
    "tuss_conventional": (Toy(prompts=(), n_outputs=3), [[]]),
}
HPARAMS = {"model_conf": {"conf_cross_prompt_module": {"num_groups": 4}, "config_first_block": {"num_groups": 4}},
           "encoder_conf": {"hop_length": 16}}  # fmt: skip


def main() -> None:
    for seed, (name, (toy, prompts)) in enumerate(CASES.items()):
        tensors = published_tensors(toy, seed)
        mixture = torch.randn(len(prompts), 1003, generator=torch.Generator().manual_seed(100 + seed))
        model = build_tuss(tensors, HPARAMS, name=name)
        with torch.no_grad():
            estimates, _ = model.separate_windows(mixture, prompts)
        content = {f"w.{key}": value for key, value in tensors.items()}
        save_file({**content, "in.mixture": mixture, "out.estimates": estimates.contiguous()},
                  VECTORS / f"{name}.safetensors")  # fmt: skip


if __name__ == "__main__":
    main()
