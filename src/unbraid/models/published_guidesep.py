"""Reads the GuideSep checkpoints that the paper's authors publish.

A Lightning checkpoint (``.ckpt``) with its tensors under ``state_dict``: the network under ``net.``, the projection of
the masks under ``mlp.``. Key names are facts of those files. They hold parts of a text-to-image network that GuideSep
never uses; these are left out, and so are averages of the network under ``net_ema.``. Beside the tensors lie pickled
settings of the training data; whatever they name is neither imported nor run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from unbraid.errors import ModelError
from unbraid.models.diffusion import NoiseConfig
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_network import GuidesepConfig, TwinShape
from unbraid.models.published_files import fill, read_inert, read_yaml, tensors_of

MARK = "net.init_conv_cond.convs.0.weight"
UNUSED = re.compile(
    r"^net\.(text_conditioner|to_time_tokens)\.|\.cross_attn\.|\.to_context\.|^mel_spec_transforms\.|^net_ema\."
)
MASK_ENTRY_GROUPS = 8  # of mask prediction, whatever the settings say
RENAMED = (  # published pattern, ours; tried in this order, on what the ones before left
    (r"^mlp\.hidden_layer\.", "projection.first."),
    (r"^mlp\.output_layer\.", "projection.second."),
    (r"^net\.to_time_hiddens\.0\.weights$", "network.noise.frequencies"),
    (r"^net\.to_time_hiddens\.1\.", "network.noise.first."),
    (r"^net\.to_time_cond\.0\.", "network.noise.second."),
    (r"^net\.init_conv\.", "network.score.stem."),
    (r"^net\.init_conv_cond\.", "network.condition.stem."),
    (r"^net\.init_resnet_block\.", "network.score.entry."),
    (r"^net\.init_resnet_block_cond\.", "network.condition.entry."),
    (r"^net\.(downs|ups)\.", r"network.score.\1."),
    (r"^net\.(downs|ups)_cond\.", r"network.condition.\1."),
    (r"^net\.mid_block\.mid_", "network.score.middle."),
    (r"^net\.cond_mid_block\.mid_", "network.condition.middle."),
    (r"^net\.final_res_block\.", "network.head."),
    (r"^net\.final_conv\.", "network.last."),
    (r"\.middle\.block1\.", ".middle.first_."),
    (r"\.middle\.block2\.", ".middle.second_."),
    (r"\.middle\.attn\.", ".middle.attention."),
    (r"\.ds_block\.0\.1\.", ".down."),
    (r"\.ds_block\.1\.", ".entry."),
    (r"\.ds_block\.2\.", ".blocks."),
    (r"\.ds_block\.3\.", ".attention."),
    (r"\.us_block\.0\.", ".entry."),
    (r"\.us_block\.1\.", ".blocks."),
    (r"\.us_block\.2\.", ".attention."),
    (r"\.us_block\.3\.net\.0\.", ".up."),
    (r"\.time_mlp\.1\.", ".modulation."),
    (r"\.block1\.groupnorm\.", ".first_norm."),
    (r"\.block1\.project\.", ".first."),
    (r"\.block2\.groupnorm\.", ".second_norm."),
    (r"\.block2\.project\.", ".second."),
    (r"\.(first|second)_\.", r".\1."),
    (r"\.res_conv\.", ".shortcut."),
    (r"\.gca\.to_k\.", ".gate.score."),
    (r"\.gca\.net\.0\.", ".gate.narrow."),
    (r"\.gca\.net\.2\.", ".gate.widen."),
    (r"\.attention\.norm\.g$", ".attention.norm.weight"),
    (r"\.layers\.0\.0\.to_q\.", ".query."),
    (r"\.layers\.0\.0\.to_kv\.", ".key_value."),
    (r"\.layers\.0\.0\.to_out\.", ".out."),
    (r"\.layers\.0\.1\.0\.g$", ".feed_norm.weight"),
    (r"\.layers\.0\.1\.1\.", ".widen."),
    (r"\.layers\.0\.1\.3\.g$", ".hidden_norm.weight"),
    (r"\.layers\.0\.1\.4\.", ".narrow."),
)


def import_guidesep(path: str | Path, *, hparams: str | Path | None = None) -> Guidesep:
    """Build the network of a published GuideSep checkpoint, or of its mask-prediction baseline.

    What the tensors do not tell is read from the settings of the experiment, under their published names
    (``resnet_groups``, ``attn_heads``, ``sigma_data``, ``hop_length``), or taken to be the published values.

    Args:
        path: the authors' ``.ckpt``, or a ``.safetensors`` with the same keys.
        hparams: the experiment's settings as YAML; the published checkpoint needs none.

    Raises:
        ModelError: if the file is not such a checkpoint.
    """
    path = Path(path)
    settings = read_yaml(Path(hparams), cure="give the experiment's YAML, or leave it out") if hparams else {}
    return build_guidesep(read_lightning(path), settings, name=str(path))


def read_lightning(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint that may hold pickled objects beside them; see `read_inert`.

    Raises:
        ModelError: if the file is no checkpoint.
    """
    return tensors_of(read_inert(path), path)


def is_guidesep(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether tensors have the published key names of GuideSep.

    Example:
        >>> import torch
        >>> is_guidesep({"net.init_conv_cond.convs.0.weight": torch.zeros(1)}), is_guidesep({})
        (True, False)
    """
    return MARK in tensors


def build_guidesep(tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, name: str) -> Guidesep:
    """Build the network that tensors with the published keys belong to, and load them.

    Args:
        tensors: the state dictionary.
        settings: of the experiment, nested in any way; what the tensors tell is not looked up.
        name: of the file, for messages.

    Raises:
        ModelError: if a tensor is missing, of a wrong shape, or foreign.
    """
    if not is_guidesep(tensors):
        raise ModelError(f"{name}: not a GuideSep checkpoint, tensor {MARK!r} is missing")
    try:
        model = Guidesep(read_config(tensors, settings))
    except KeyError as error:
        raise ModelError(f"{name}: not a GuideSep checkpoint, tensor {error} is missing") from error
    except (IndexError, RuntimeError, ValueError, ModelError) as error:
        raise ModelError(f"{name}: not a GuideSep checkpoint ({error})") from error
    translated = translate_all(tensors)
    fill(model, translated, name=name, what="a GuideSep network")
    return model.eval()


def read_config(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> GuidesepConfig:
    """Tell the shape of the network from its tensors, and the rest from settings."""
    published = GuidesepConfig()
    n_bins, n_hidden = tensors["mlp.output_layer.weight"].shape
    shape = read_shape(tensors, settings)
    n_fft = 2 * (n_bins - 1)
    noise = NoiseConfig(data=_find(settings, "sigma_data", NoiseConfig.data)) if shape.noisy else None
    return GuidesepConfig(
        network=shape,
        noise=noise,
        sample_rate=int(_find(settings, "sample_rate", published.sample_rate)),
        n_fft=n_fft,
        hop_length=int(_find(settings, "hop_length", n_fft // 2 + 1)),
        n_mels=tensors["mlp.hidden_layer.weight"].shape[1],
        n_hidden=n_hidden,
    )


def read_shape(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> TwinShape:
    """Tell the sizes of the twin U-Net from its tensors, and groups and heads from settings."""
    published = TwinShape()
    n_features = tensors["net.final_conv.weight"].shape[1]
    n_levels = 1 + max(int(key.split(".")[2]) for key in tensors if key.startswith("net.downs."))
    first = [tensors[f"net.downs.{level}.ds_block.0.1.weight"] for level in range(n_levels)]
    attends = [f"net.downs.{level}.ds_block.3.norm.g" in tensors for level in range(n_levels)]
    feed = tensors["net.mid_block.mid_attn.layers.0.1.1.weight"]
    is_noisy = "net.to_time_hiddens.0.weights" in tensors
    return TwinShape(
        n_inputs=tensors["net.init_conv.convs.0.weight"].shape[1],
        n_conditions=tensors[MARK].shape[1],
        n_features=n_features,
        multipliers=tuple(len(weight) // n_features for weight in first),
        attention=tuple(attends),
        n_blocks=len({key.split(".")[5] for key in tensors if key.startswith("net.downs.0.ds_block.2.")}),
        n_groups=int(_find(settings, "resnet_groups", published.n_groups)),
        n_heads=int(_find(settings, "attn_heads", published.n_heads)),
        expansion=len(feed) // feed.shape[1],
        noisy=is_noisy,
        noisy_condition=is_noisy,
        n_entry_groups=None if is_noisy else MASK_ENTRY_GROUPS,
    )


def translate_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give every tensor that is used our name."""
    return {translate(key): value for key, value in tensors.items() if not UNUSED.search(key)}


def translate(key: str) -> str:
    """Give a published tensor our name.

    Example:
        >>> translate("net.ups_cond.0.us_block.1.0.gca.to_k.bias")
        'network.condition.ups.0.blocks.0.gate.score.bias'
    """
    for pattern, ours in RENAMED:
        key = re.sub(pattern, ours, key)
    return key


def _find(settings: Any, name: str, otherwise: float) -> float:
    """Return the first number of a name, wherever it lies in nested settings."""
    if isinstance(settings, Mapping):
        value = settings.get(name)
        if isinstance(value, int | float):
            return float(value)
        settings = list(settings.values())
    parts = settings if isinstance(settings, list) else []
    return next((found for part in parts if (found := _find(part, name, -1.0)) >= 0), otherwise)
