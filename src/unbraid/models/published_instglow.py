"""Reads the priors of InstGlow that the paper's authors publish.

One folder for each source, with ``G_<epoch>.pth`` (the tensors under ``model``) and ``config.json`` (groups ``train``,
``data`` and ``model``). Key names are facts of those files. They hold layers for conditions that no prior uses; these
are left out. Whatever else is pickled beside the tensors is neither imported nor run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from unbraid.errors import ModelError
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import Prior, PriorConfig
from unbraid.models.published_files import fill, read_inert

MARK = "decoder.flows.2.start.weight_v"
USED = re.compile(r"^decoder\.flows\.\d+\.(?!wn\.cond_layer\.)")
N_PARTS = 3  # of a block, numbered through
SETTINGS_FILE = "config.json"
UNSAID_DILATION = 5  # where there are settings without it; the published ones say 1
RENAMED = (  # published pattern, ours; tried in this order, on what the ones before left
    (r"parametrizations\.weight\.original0$", "weight_g"),
    (r"parametrizations\.weight\.original1$", "weight_v"),
    (r"\.weight_g$", ".length"),
    (r"\.weight_v$", ".direction"),
    (r"^(blocks\.\d+)\.0\.logs$", r"\1.norm.log_scale"),
    (r"^(blocks\.\d+)\.0\.", r"\1.norm."),
    (r"^(blocks\.\d+)\.1\.", r"\1.mix."),
    (r"^(blocks\.\d+)\.2\.start\.", r"\1.coupling.first."),
    (r"^(blocks\.\d+)\.2\.end\.", r"\1.coupling.last."),
    (r"^(blocks\.\d+)\.2\.wn\.in_layers\.", r"\1.coupling.wavenet.convs."),
    (r"^(blocks\.\d+)\.2\.wn\.res_skip_layers\.", r"\1.coupling.wavenet.mixes."),
)


def import_instglow(path: str | Path, *, hparams: str | Path | None = None, source: str | None = None) -> Instglow:
    """Build the separator with the one prior of a published checkpoint; `combine` puts several together.

    Widths are told by the tensors. What they do not tell is read from the settings: bins and squeezed frames, dilation,
    the form of scales, rate and transform. Without settings the published values are taken, and a transform that leaves
    one row of zeros.

    Args:
        path: the authors' ``.pth``, or a ``.safetensors`` with the same keys.
        hparams: their ``config.json``; without it, the one beside the checkpoint is used.
        source: what the prior is of; None is the name of the folder.

    Raises:
        ModelError: if the file is not such a checkpoint, or the two files disagree.
    """
    path = Path(path)
    beside = path.with_name(SETTINGS_FILE)
    found = Path(hparams) if hparams else beside if beside.is_file() else None
    prior = build_prior(read_tensors(path), read_settings(found) if found else {}, name=str(path))
    model = Instglow(InstglowConfig(names=(source or path.resolve().parent.name,), priors=(prior.config,)))
    model.priors[0].load_state_dict(prior.state_dict())
    return model.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, without prefixes; objects beside them are replaced by what does nothing.

    Raises:
        ModelError: if the file is no checkpoint.
    """
    content = read_inert(path)
    content = content.get("model", content) if isinstance(content, Mapping) else content
    tensors = content.items() if isinstance(content, Mapping) else ()
    found = {key.removeprefix("module."): value for key, value in tensors if isinstance(value, Tensor)}
    if not found:
        raise ModelError(f"{path}: holds no table of tensors: give the authors' G_<epoch>.pth")
    return found


def holds_prior(content: object) -> bool:
    """Tell whether what a checkpoint holds is a prior of InstGlow, with or without what training left beside it."""
    held = content.get("model", content) if isinstance(content, Mapping) else None
    return isinstance(held, Mapping) and is_instglow({str(key).removeprefix("module."): held[key] for key in held})


def is_instglow(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether tensors have the published key names of a prior of InstGlow.

    Example:
        >>> import torch
        >>> is_instglow({"decoder.flows.2.start.weight_v": torch.zeros(1)}), is_instglow({})
        (True, False)
    """
    return any(_renamed(key) == _renamed(MARK) for key in tensors)


def read_settings(path: Path) -> dict[str, Any]:
    """Read a published ``config.json``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as settings ({str(error).partition(chr(10))[0]})") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise ModelError(f"{path}: holds no settings of a model: give the config.json that belongs to the checkpoint")
    return content


def build_prior(tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, name: str) -> Prior:
    """Build the prior that tensors with the published keys belong to, and load them.

    Args:
        tensors: the state dictionary.
        settings: with the groups ``model`` and ``data``, each of which may be missing.
        name: of the file, for messages.

    Raises:
        ModelError: if a tensor is missing, of a wrong shape, or foreign.
    """
    if not is_instglow(tensors):
        raise ModelError(f"{name}: not a prior of InstGlow, tensor {MARK!r} is missing")
    translated = {translate(key): value for key, value in tensors.items() if USED.search(key)}
    try:
        prior = Prior(read_config(translated, settings))
    except KeyError as error:
        raise ModelError(f"{name}: not a prior of InstGlow, tensor {error} is missing") from error
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError, ModelError) as error:
        raise ModelError(f"{name}: not a prior of InstGlow ({error})") from error
    fill(prior, translated, name=name, what="a prior of InstGlow")
    return prior.eval()


def read_config(translated: Mapping[str, Tensor], settings: Mapping[str, Any]) -> PriorConfig:
    """Tell the shape of the prior from its tensors, under our names, and the rest from settings."""
    published = PriorConfig()
    model, data = settings.get("model", {}), settings.get("data", {})
    width = translated["blocks.0.norm.bias"].shape[1]
    n_squeeze = int(model.get("n_sqz", published.n_squeeze))
    n_channels = int(data.get("n_ipt_channels", model.get("out_channels", width // n_squeeze)))
    if n_channels * n_squeeze != width:
        raise ModelError(f"the settings say {n_channels} channels and {n_squeeze} frames, the tensors {width}")
    n_fft = int(_first(data, ("n_fft", "filter_length"), 2 * (n_channels - 2)))
    n_hidden, _, kernel_size = translated["blocks.0.coupling.wavenet.convs.0.direction"].shape
    return PriorConfig(
        sample_rate=int(_first(data, ("sample_rate", "sampling_rate"), published.sample_rate)),
        n_fft=n_fft,
        hop_length=int(_first(data, ("hop_length",), n_fft // 4)),
        n_channels=n_channels,
        n_squeeze=n_squeeze,
        n_blocks=1 + max(int(key.split(".")[1]) for key in translated),
        n_split=len(translated["blocks.0.mix.weight"]),
        n_hidden=n_hidden // 2,
        kernel_size=kernel_size,
        dilation_base=int(model.get("dilation_rate", UNSAID_DILATION if model else published.dilation_base)),
        n_layers=len({key.split(".")[5] for key in translated if key.startswith("blocks.0.coupling.wavenet.convs.")}),
        dropout=float(model.get("p_dropout_dec", published.dropout)),
        sigmoid_scale=bool(model.get("sigmoid_scale", published.sigmoid_scale)),
    )


def translate(key: str) -> str:
    """Give a published tensor our name.

    Example:
        >>> translate("decoder.flows.5.wn.in_layers.0.weight_g")
        'blocks.1.coupling.wavenet.convs.0.length'
    """
    _, _, number, rest = key.split(".", maxsplit=3)
    block, part = divmod(int(number), N_PARTS)
    return _renamed(f"blocks.{block}.{part}.{rest}")


def _renamed(key: str) -> str:
    for pattern, ours in RENAMED:
        key = re.sub(pattern, ours, key)
    return key


def _first(group: Mapping[str, Any], names: tuple[str, ...], otherwise: int) -> Any:
    """Return the first number that a group has under one of some names."""
    return next((group[name] for name in names if isinstance(group.get(name), int | float)), otherwise)
