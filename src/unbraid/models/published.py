"""Reads the checkpoints that the papers' authors publish, and writes them as our weights.

TUSS: a flat dictionary of tensors (``.pth``) or a Lightning checkpoint (``.ckpt``), with or without the prefix
``model.``; its ``hparams.yaml`` lies two folders above. Key names are facts of those files.

Axes: D features, C inner width, k kernel, b bins of a band, K bands, S outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unbraid.errors import ModelError
from unbraid.models.layers.bands import runs_of
from unbraid.models.layers.locoformer import FeedForwardConfig, PathConfig, StackConfig
from unbraid.models.published_files import fill, read_inert, read_yaml, tensors_of
from unbraid.models.tuss import PROMPTS, Tuss, TussConfig

PROMPT_WORDS = {"sfxbg": "sfx-mix", "musicbg": "music-mix"}
PATHS = {"frequency": "freq_path", "time": "frame_path"}
STACKS = {"tuss": ("cross_prompt_module", "cond_tse_module"), "conventional": ("first_block", "second_block")}
ENCODER, DECODER = "band_split_module.band_split_module", "band_split_module.bandwise_decoding_module"
CONFS = {"tuss": ("conf_cross_prompt_module", "conf_cond_tse_module"),
         "conventional": ("config_first_block", "config_second_block")}  # fmt: skip


def import_tuss(path: str | Path, *, hparams: str | Path | None = None) -> Tuss:
    """Build the network of a published TUSS or conventional checkpoint.

    Args:
        path: the authors' ``.pth`` or ``.ckpt``, or a ``.safetensors`` with the same keys.
        hparams: their ``hparams.yaml``; without it, the one found up to two folders above is used, or the
            published values are taken for what the shapes do not tell (8 groups, 48 kHz, hop of a quarter window).

    Raises:
        ModelError: if the file is not such a checkpoint, or the two files disagree.
    """
    tensors = read_tensors(Path(path))
    found = Path(hparams) if hparams else next(
        (folder / "hparams.yaml" for folder in Path(path).resolve().parents[:2] if (folder / "hparams.yaml").is_file()),
        None,
    )  # fmt: skip
    return build_tuss(tensors, read_hparams(found) if found else {}, name=str(path))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a flat dictionary of tensors, without prefixes; what else training left in the file is passed over."""
    return tensors_of(read_inert(path), path)


def read_hparams(path: Path) -> dict[str, Any]:
    """Read a published ``hparams.yaml``."""
    content = read_yaml(path, cure="give the hparams.yaml that belongs to the checkpoint")
    if not isinstance(content.get("model_conf"), dict):
        raise ModelError(f"{path}: holds no model_conf: give the hparams.yaml that belongs to the checkpoint")
    return content


def build_tuss(tensors: Mapping[str, Tensor], hparams: Mapping[str, Any], *, name: str) -> Tuss:
    """Build the network that tensors with the published keys (no prefixes) belong to, and load them."""
    kind = "tuss" if any(key.startswith("prompts.") for key in tensors) else "conventional"
    try:
        config = read_config(tensors, hparams, kind)
        model = Tuss(config)
        translated = dict(_translate(tensors, config, kind))
    except KeyError as error:
        raise ModelError(f"{name}: not a TUSS checkpoint, tensor {error} is missing") from error
    except (IndexError, RuntimeError, ValueError, StopIteration) as error:
        raise ModelError(f"{name}: not a TUSS checkpoint ({error})") from error
    fill(model, translated, name=name, what="a TUSS network")
    return model.eval()


def read_config(tensors: Mapping[str, Tensor], hparams: Mapping[str, Any], kind: str) -> TussConfig:
    """Tell the shape of the network from its tensors, and the rest from the published settings."""
    conf = hparams.get("model_conf", {})
    first = conf.get(CONFS[kind][0], {})
    stft = {**hparams.get("encoder_conf", {}), **hparams.get("stft", {})}
    widths = tuple(len(tensors[f"{ENCODER}.{k}.0.weight"]) // 2 for k in range(_count(tensors, ENCODER)))
    n_features = len(tensors[f"{DECODER}.0.0.weight"])
    last = tensors[f"{DECODER}.0.5.weight"]
    n_outputs = len(last) // (4 * widths[0])
    time_first = first.get("tf_order", "ft") == "tf"
    stored = sorted(key.removeprefix("prompts.") for key in tensors if key.startswith("prompts."))
    words = [PROMPT_WORDS.get(prompt, prompt) for prompt in conf.get("prompts") or stored]
    if not conf.get("prompts"):
        words.sort(key=lambda word: PROMPTS.index(word) if word in PROMPTS else len(PROMPTS))
    return TussConfig(
        cross=_read_stack(tensors, STACKS[kind][0], time_first=time_first),
        extraction=_read_stack(tensors, STACKS[kind][1], time_first=time_first),
        prompts=tuple(words),
        outputs=tuple(f"source-{n + 1}" for n in range(n_outputs)) if kind == "conventional" else (),
        anonymous=kind == "conventional",
        sample_rate=int(conf.get("sample_rate", 48000)),
        n_fft=2 * (sum(widths) - 1),
        hop_length=int(stft.get("hop_length", (sum(widths) - 1) // 2)),
        bands=widths,
        n_features=n_features,
        n_groups=int(first.get("num_groups", 8)),
        expansion=len(tensors[f"{DECODER}.0.1.weight"]) // n_features,
        sos="sos_token" in tensors,
    )


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbered children ``prefix.0``, ``prefix.1`` ... there are."""
    tails = [key.removeprefix(f"{prefix}.") for key in tensors if key.startswith(f"{prefix}.")]
    return len({tail.partition(".")[0] for tail in tails})


def _read_stack(tensors: Mapping[str, Tensor], name: str, *, time_first: bool) -> StackConfig:
    paths = {}
    for ours, theirs in PATHS.items():
        prefix = f"{name}.0.{theirs}"
        order = reversed(range(_count(tensors, f"{prefix}.ffn")))  # the last one of the file comes first in the block
        shapes = [tensors[f"{prefix}.ffn.{j}.deconv1d.weight"].shape for j in order]
        attention = len(tensors[f"{prefix}.attn.qkv.weight"]) // 3
        n_heads = attention // (2 * len(tensors[f"{prefix}.attn.rope.freqs"]))
        paths[ours] = PathConfig(n_heads, attention, tuple(FeedForwardConfig(shape[0], shape[2]) for shape in shapes))
    return StackConfig(_count(tensors, name), time_first=time_first, **paths)


def _translate(tensors: Mapping[str, Tensor], config: TussConfig, kind: str) -> list[tuple[str, Tensor]]:
    """Give every tensor our name and our layout."""
    pairs: list[tuple[str, Tensor]] = []
    for ours, theirs, stack in zip(
        ("cross", "extraction"), STACKS[kind], (config.cross, config.extraction), strict=True
    ):
        for path, published in PATHS.items():
            freqs = [tensors[f"{theirs}.{b}.{published}.attn.rope.freqs"] for b in range(stack.n_blocks)]
            if any(not torch.equal(one, freqs[0]) for one in freqs):
                raise ValueError("blocks with different rotary frequencies")
            pairs.append((f"{ours}.rope_{path}.frequencies", freqs[0]))
            for b in range(stack.n_blocks):
                source = f"{theirs}.{b}.{published}"
                pairs += [(f"{ours}.blocks.{b}.{path}.{key}", value) for key, value in translate_path(tensors, source)]
    pairs += _translate_bands(tensors, config)
    keys = {word: key for key, word in PROMPT_WORDS.items()}
    rows = [tensors[f"prompts.{keys.get(prompt, prompt)}"].flatten() for prompt in config.prompts]
    pairs.append(("prompts", torch.stack(rows) if rows else torch.empty(0, config.n_features)))
    sos = tensors["sos_token"].view(1, -1) if config.sos and config.prompts else torch.empty(0, config.n_features)
    return [*pairs, ("sos", sos)]


def translate_path(tensors: Mapping[str, Tensor], prefix: str) -> list[tuple[str, Tensor]]:
    """Translate one path of one block."""
    pairs = [
        ("attention.qkv.weight", tensors[f"{prefix}.attn.qkv.weight"]),
        ("attention.out.weight", tensors[f"{prefix}.attn.aggregate_heads.0.weight"]),
        ("attention_norm.gain", tensors[f"{prefix}.attn_norm.gamma"]),
    ]
    n_parts = _count(tensors, f"{prefix}.ffn")
    for j in range(n_parts):
        ours = ("after", "after_norm") if j == 0 else (f"before.{n_parts - 1 - j}", f"before_norm.{n_parts - 1 - j}")
        source = f"{prefix}.ffn.{j}"
        expand, contract = tensors[f"{source}.conv1d.weight"], tensors[f"{source}.deconv1d.weight"]
        pairs += [
            (f"{ours[0]}.expand.weight", expand.transpose(1, 2).flatten(1)),  # (2C, D, k) -> (2C, k D)
            (f"{ours[0]}.expand.bias", tensors[f"{source}.conv1d.bias"]),
            (f"{ours[0]}.contract.weight", contract.permute(2, 1, 0).flatten(0, 1)),  # (C, D, k) -> (k D, C)
            (f"{ours[0]}.bias", tensors[f"{source}.deconv1d.bias"]),
            (f"{ours[1]}.gain", tensors[f"{prefix}.ffn_norm.{j}.gamma"]),
        ]
    return pairs


def _translate_bands(tensors: Mapping[str, Tensor], config: TussConfig) -> list[tuple[str, Tensor]]:
    """Stack the networks of neighbors with equal width."""
    pairs, start = [], 0
    layers = {"first": 1, "second": 3, "third": 5}
    for number, (_, n_bands) in enumerate(runs_of(config.bands)):
        bands = range(start, start + n_bands)
        start += n_bands

        def stack(module: str, layer: int, kind: str, bands: range = bands) -> Tensor:
            return torch.stack([tensors[f"{module}.{k}.{layer}.{kind}"] for k in bands])

        for ours, theirs, linears in (("encoder", ENCODER, {"linear": 1}), ("decoder", DECODER, layers)):
            run = f"{ours}.runs.{number}"
            pairs += [(f"{run}.norm.gain", stack(theirs, 0, "weight")), (f"{run}.norm.bias", stack(theirs, 0, "bias"))]
            for linear, layer in linears.items():
                weight = stack(theirs, layer, "weight").squeeze(-1).transpose(1, 2)  # (K, out, in, 1) -> (K, in, out)
                pairs.append((f"{run}.{linear}.weight", weight.contiguous()))
                pairs.append((f"{run}.{linear}.bias", stack(theirs, layer, "bias")[:, None]))
    return pairs
