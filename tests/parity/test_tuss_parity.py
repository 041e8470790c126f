"""TUSS against stored vectors: our own, and those of the published implementation where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from unbraid.audio.segments import WindowLayout, overlap_add
from unbraid.audio.stft import Stft
from unbraid.guides.kinds import Label, Target
from unbraid.models.layers.locoformer import Stack
from unbraid.models.published import _read_stack, build_tuss, translate_path

VECTORS = Path(__file__).parent / "vectors"
GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "tuss"
WORDS = {"sfxbg": "sfx-mix", "musicbg": "music-mix"}
TOLERANCE = 1e-4
HPARAMS = {
    "model_conf": {"conf_cross_prompt_module": {"num_groups": 4}, "config_first_block": {"num_groups": 4}},
    "encoder_conf": {"hop_length": 16},
}

golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the vectors of the published implementation are not here")


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate - reference).abs().max() / reference.abs().max())


def relative_norm(estimate: Tensor, reference: Tensor) -> float:
    """Compare what a whole network answers: its largest single difference is a matter of how a processor rounds."""
    return float((estimate - reference).norm() / reference.norm())


def published(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix("w.").removeprefix("separator."): v for k, v in tensors.items() if k.startswith("w.")}


def load_golden(name: str) -> tuple[dict, dict[str, Tensor]]:
    path = GOLDEN / f"{name}.safetensors"
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    return config, load_file(path)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize(
    ("name", "prompts"),
    [
        ("tuss_prompted", [["speech", "sfx", "speech"], ["vocals", "bass", "drums"]]),
        ("tuss_without_sos", [["music-mix", "speech"]]),
        ("tuss_conventional", [[]]),
    ],
)
def test_stored_vectors(name, prompts, grad):
    content = load_file(VECTORS / f"{name}.safetensors")
    model = build_tuss(published(content), HPARAMS, name=name)
    with torch.set_grad_enabled(grad):
        estimates, presence = model.separate_windows(content["in.mixture"], prompts)
    assert presence is None
    assert relative_norm(estimates.detach(), content["out.estimates"]) < TOLERANCE


def test_both_doors_agree():
    content = load_file(VECTORS / "tuss_prompted.safetensors")
    model = build_tuss(published(content), HPARAMS, name="toy")
    targets = [Target(name, Label(name)) for name in ("speech", "sfx", "speech")]
    with torch.inference_mode():
        stems = model(content["in.mixture"][:1, None], model.condition(targets)).stems[:, :, 0]
    assert relative_norm(stems, content["out.estimates"][:1]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", ["full_wave_3prompts", "full_wave_batch2", "conventional_wave"])
def test_golden_waves(name):
    if not (GOLDEN / f"{name}.safetensors").exists():
        pytest.skip(f"{name} is not among the vectors")
    config, content = load_golden(name)
    model = build_tuss(published(content), config, name=name)
    prompts = [[WORDS.get(one, one) for one in row] for row in config["prompts"] or [[]]]
    with torch.no_grad():
        estimates, _ = model.separate_windows(content["in.mix"], prompts)
    assert relative_norm(estimates, content["out.wave"][..., : estimates.shape[-1]]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", ["separator_spec", "separator_spec_nosos"])
def test_golden_spectrograms(name):
    config, content = load_golden(name)
    model = build_tuss(published(content), config, name=name)
    spectrogram = torch.view_as_complex(content["in.spec"]).transpose(1, 2)
    indices = torch.tensor([[model.vocabulary.index(WORDS.get(one, one)) for one in row] for row in config["prompts"]])
    with torch.no_grad():
        masks, _ = model.estimate_masks(spectrogram, indices)
    separated = torch.view_as_real((spectrogram[:, None] * masks).transpose(-1, -2))
    assert relative(separated, content["out.spec"]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", ["block_conv_ft", "block_conv_tf", "block_linear_ft", "block_single_ffn"])
def test_golden_blocks(name):
    config, content = load_golden(name)
    block = config["block"]
    tensors = {f"stack.0.{key}": value for key, value in published(content).items()}
    stack = Stack(
        block["emb_dim"],
        block["num_groups"],
        _read_stack(tensors, "stack", time_first=block["tf_order"] == "tf"),
    )
    weights = {}
    for ours, theirs in (("frequency", "freq_path"), ("time", "frame_path")):
        weights |= {f"blocks.0.{ours}.{key}": value for key, value in translate_path(tensors, f"stack.0.{theirs}")}
        weights[f"rope_{ours}.frequencies"] = tensors[f"stack.0.{theirs}.attn.rope.freqs"]
    stack.load_state_dict(weights)
    with torch.no_grad():
        y = stack(content["in.x"].permute(0, 2, 3, 1).contiguous()).permute(0, 3, 1, 2)
    assert relative(y, content["out.y"]) < TOLERANCE


@golden
def test_golden_stft():
    _, content = load_golden("stft")
    stft = Stft(2048, 512)
    spectrogram = stft(content["in.x"])
    assert relative(torch.view_as_real(spectrogram.transpose(1, 2).contiguous()), content["out.spec"]) < TOLERANCE
    assert relative(stft.inverse(spectrogram), content["out.wave"]) < TOLERANCE


@pytest.mark.parametrize(("overlap", "n_samples"), [(0.5, 5000), (0.0, 5000), (0.5, 1600), (0.25, 4801)])
def test_published_joining_is_the_box_on_a_padded_recording(overlap, n_samples):
    """The published inference pads the last segment with zeros and joins two segments by their mean."""
    content = load_file(VECTORS / "tuss_without_sos.safetensors")
    model = build_tuss(published(content), HPARAMS, name="toy")
    length, shift = 1600, round(1600 * (1 - overlap))
    mixture = torch.randn(1, n_samples, generator=torch.Generator().manual_seed(1))
    n_segments = -(-(n_samples - (length - shift)) // shift) if n_samples > length else 1
    padded = torch.nn.functional.pad(mixture, (0, (n_segments - 1) * shift + length - n_samples))

    def separate(windows: Tensor) -> Tensor:
        with torch.no_grad():
            return model.separate_windows(windows, [["speech", "music-mix"]] * len(windows))[0]

    expected = torch.zeros(2, padded.shape[1])
    for index in range(n_segments):
        start = index * shift
        segment = separate(padded[:, start : start + length])[0]
        shared = slice(start, start + length - shift) if index else slice(0, 0)
        segment[:, : shared.stop - shared.start] = (expected[:, shared] + segment[:, : shared.stop - shared.start]) / 2
        expected[:, start : start + length] = segment
    pieces = overlap_add(
        [padded],
        lambda windows, starts: (separate(windows[:, 0])[:, :, None], None),
        layout=WindowLayout(length, overlap, fade="box"),
    )
    joined = torch.cat([piece.estimates for piece in pieces], dim=-1)[:, 0, :n_samples]
    assert relative(joined, expected[:, :n_samples]) < TOLERANCE
