"""Reads the LaSAFT checkpoints that the paper's authors publish, of both versions.

A Lightning checkpoint (``.ckpt``) with its tensors under ``state_dict``, with or without the prefix ``spec2spec.``.
Files of version 1 hold their settings inside (``hyper_parameters``); those of version 2 have a ``config.yaml`` beside
them. Key names are facts of those files.

Axes: D features, f bins of a level, L latent sources, E size of a query, K size of a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unbraid.errors import ModelError
from unbraid.models.lasaft import Lasaft
from unbraid.models.lasaft_network import LABELS, LasaftConfig
from unbraid.models.layers.query_net import QueryNetConfig
from unbraid.models.published_files import fill, read_inert, read_yaml, tensors_of

MARK = "encoders.0.tfc.H.0.0.weight"
SETTINGS_FILES = ("config.yaml", ".hydra/config.yaml", "hparams.yaml")
PUBLISHED_LIGHT = (20, 12)  # features and latent sources of the one published network with leaky activations
RENAMED = (  # published pattern, ours; tried in this order, on what the ones before left
    (r"^first_conv\.", "first."),
    (r"^last_conv\.0\.", "last."),
    (r"^(up|down)samplings\.", r"\1s."),
    (r"^mid_block\.", "middle."),
    (r"tfc_lightsaft\.", ""),
    (r"^(encoders\.\d+|decoders\.\d+|middle)\.tfc\.H\.(\d+)\.0\.", r"\1.convolutions.convs.\2."),
    (r"^(encoders\.\d+|decoders\.\d+|middle)\.tfc\.H\.(\d+)\.1\.", r"\1.convolutions.norms.\2."),
    (r"\.tdfs?\.tdf\.0\.", ".transform.narrow."),
    (r"\.tdfs?\.tdf\.1\.", ".transform.narrow_norm."),
    (r"\.tdfs?\.tdf\.3\.", ".transform.widen."),
    (r"\.tdfs?\.tdf\.4\.", ".transform.widen_norm."),
    (r"\.LaSAFT_bn_layer\.0\.", ".transform.narrow."),
    (r"\.LaSAFT_bn_layer\.1\.", ".transform.narrow_norm."),
    (r"\.query_pocm_generator\.", ".transform.attention.query.generator."),
    (r"^decoders\.(\d+)\.pocm_generator\.", r"gates.\1."),
    (r"\.linear_query\.0\.", ".transform.attention.query.norm."),
    (r"\.linear_query\.2\.", ".transform.attention.query.linear."),
    (r"\.linear_query\.", ".transform.attention.query."),
    (r"\.keys\.0\.", ".transform.attention.key.conv."),
    (r"\.keys\.1\.", ".transform.attention.key.norm."),
    (r"\.keys\.3\.", ".transform.attention.key.linear."),
    (r"\.keys$", ".transform.attention.key"),
    (r"weight_g$", "length"),
    (r"weight_v$", "direction"),
    (r"^condition_generator\.dense_control_block\.linear\.0\.", "gates.first.0."),
    (r"^condition_generator\.dense_control_block\.linear\.2\.", "gates.second.0."),
    (r"^condition_generator\.dense_control_block\.linear\.5\.", "gates.second.3."),
    (r"^condition_generator\.dense_control_block\.linear\.6\.", "gates.third.0."),
    (r"^condition_generator\.dense_control_block\.linear\.9\.", "gates.third.3."),
    (r"^condition_generator\.linear_gamma\.0\.", "gates.matrices.0."),
    (r"^condition_generator\.linear_gamma\.2\.", "gates.matrices.1."),
    (r"^condition_generator\.linear_beta\.0\.", "gates.biases.0."),
    (r"^condition_generator\.linear_beta\.2\.", "gates.biases.1."),
    (r"^embedding\.first_conv\.0\.", "embedding.first."),
    (r"^embedding\.conv_nets\.(\d+)\.strided_conv\.0\.", r"embedding.convs.\1."),
    (r"^embedding\.gru\.", "embedding.recurrent."),
    (r"^embedding\.fc\.", "embedding.last."),
)


def import_lasaft(path: str | Path, *, hparams: str | Path | None = None) -> Lasaft:
    """Build the network of a published LaSAFT checkpoint.

    What the tensors do not tell (activation, hop length, frames of a window, names of other labels than the published
    four) is read from the settings. Without them the published values are taken: leaky activations for the sizes of the
    light network, otherwise ReLU; a hop of 1024 samples, or half of a shorter transform; 128 frames.

    Args:
        path: the authors' ``.ckpt``, or a ``.safetensors`` with the same keys.
        hparams: their ``config.yaml``; without it, the one beside the checkpoint or a folder above is used, or the
            settings inside the checkpoint. What is given comes first, what is inside before what lies beside.

    Objects that training left in the file, such as Lightning's callbacks, are passed over; see `read_inert`.

    Raises:
        ModelError: if the file is not such a checkpoint, or its settings are neither plain values nor beside it.
    """
    path = Path(path)
    content = read_inert(path)
    folders = path.resolve().parents[:2]
    found = Path(hparams) if hparams else next(
        (folder / name for folder in folders for name in SETTINGS_FILES if (folder / name).is_file()), None
    )  # fmt: skip
    beside = read_yaml(found, cure="give the config.yaml that belongs to the checkpoint") if found else {}
    inside = content.get("hyper_parameters", {}) if isinstance(content, Mapping) else {}
    if not isinstance(inside, Mapping) and not found:
        raise ModelError(f"{path}: its settings are pickled as an object, which is not read: give them as a YAML file")
    settings = {"inside": inside, "model": beside.get("model"), "beside": beside}  # looked up in this order
    if hparams:
        settings["inside"] = settings.pop("inside")
    return build_lasaft(tensors_of(content, path), settings, name=str(path))


def is_lasaft(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether tensors have the published key names of LaSAFT.

    Example:
        >>> is_lasaft({"spec2spec.encoders.0.tfc.H.0.0.weight": torch.zeros(1)}), is_lasaft({})
        (True, False)
    """
    return any(key.endswith(MARK) for key in tensors)


def build_lasaft(tensors: Mapping[str, Tensor], hparams: Mapping[str, Any], *, name: str) -> Lasaft:
    """Build the network that tensors with the published keys belong to, with or without a prefix, and load them.

    Args:
        tensors: the state dictionary.
        hparams: settings, nested in any way; what the tensors tell is not looked up.
        name: of the file, for messages.

    Raises:
        ModelError: if a tensor is missing, of a wrong shape, or foreign.
    """
    marked = min((key for key in tensors if key.endswith(MARK)), key=len, default=None)
    if marked is None:
        raise ModelError(f"{name}: not a LaSAFT checkpoint, tensor {MARK!r} is missing")
    prefix = marked.removesuffix(MARK)
    plain = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    windows = {key: value for key, value in tensors.items() if key.endswith("stft.window")}
    plain = {key: value for key, value in plain.items() if key not in windows}
    try:
        config = read_config(plain, hparams, window=next(iter(windows.values()), None))
        model = Lasaft(config)
        sizes = {"n_features": config.n_features, "n_latent": config.n_latent, "version": config.version}
        translated = dict(translate(key, value, **sizes) for key, value in plain.items())
    except KeyError as error:
        raise ModelError(f"{name}: not a LaSAFT checkpoint, tensor {error} is missing") from error
    except (IndexError, RuntimeError, ValueError) as error:
        raise ModelError(f"{name}: not a LaSAFT checkpoint ({error})") from error
    except ModelError as error:
        raise ModelError(f"{name}: its tensors and settings contradict each other: {error}") from error
    fill(model, translated, name=name, what="a LaSAFT network")
    return model.eval()


def read_config(tensors: Mapping[str, Tensor], hparams: Mapping[str, Any], *, window: Tensor | None) -> LasaftConfig:
    """Tell the shape of the network from its tensors (without prefixes), and the rest from settings."""
    n_levels = _count(tensors, "encoders")
    version = 1 if any(key.startswith("condition_generator.") for key in tensors) else 2
    decoder = "decoders.0." if version == 1 else "decoders.0.tfc_lightsaft."
    light = f"{decoder}LaSAFT_bn_layer.0.weight" in tensors
    n_features, n_latent = len(tensors["first_conv.0.weight"]), _n_latent(tensors, decoder)
    narrow = "tdf.tdf.0.weight" if version == 2 else "LaSAFT_bn_layer.0.weight" if light else "tdfs.tdf.0.weight"
    per_latent = n_latent if version == 1 and light else 1
    shapes = [
        tensors[f"{block}.{narrow}"].shape for block in [*(f"encoders.{i}" for i in range(n_levels)), "mid_block"]
    ]
    n_bins = shapes[0][1]
    n_fft = 2 * n_bins if window is None else len(window)
    wide = n_latent if not light else 1
    factor, smallest = find_bottleneck([(shape[1] * wide, shape[0] // per_latent) for shape in shapes])
    n_rows = len(tensors["embedding.weight"]) if "embedding.weight" in tensors else 0
    hop = _find(hparams, "hop_length", int)
    activation = _activation(hparams) or ("leaky_relu" if (n_features, n_latent) == PUBLISHED_LIGHT else "relu")
    return LasaftConfig(
        labels=_labels(hparams, n_rows),
        version=version,
        light=light,
        n_fft=n_fft,
        hop_length=hop or min(1024, n_fft // 2),
        n_frames=_find(hparams, "num_frame", int) or 128,
        n_blocks=2 * n_levels + 1,
        n_features=n_features,
        n_layers=_count(tensors, "encoders.0.tfc.H"),
        n_latent=n_latent,
        query_size=_query_size(tensors),
        key_size=_key_size(tensors, decoder),
        bottleneck_factor=factor,
        smallest_bottleneck=smallest,
        activation=activation,
        query_listening=f"{decoder}linear_query.2.weight" in tensors,
        key_listening=f"{decoder}keys.0.weight" in tensors,
        query_net=None if n_rows else _query_net(tensors, hparams),
    )


def find_bottleneck(shapes: list[tuple[int, int]]) -> tuple[int, int]:
    """Return factor and smallest width of bottlenecks, from pairs of bins and width; 16 and 16 if they explain them.

    Example:
        >>> find_bottleneck([(1024, 64), (512, 32), (256, 16), (128, 16)]), find_bottleneck([(64, 8), (32, 4)])
        ((16, 16), (8, 4))
    """
    least = min(width for _, width in shapes)
    for factor in (16, *range(1, max(n_bins for n_bins, _ in shapes) + 1)):
        for smallest in (16, least):
            if all(max(n_bins // factor, smallest) == width for n_bins, width in shapes):
                return factor, smallest
    raise ValueError(f"bottlenecks of {shapes} follow no rule")


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbered children ``prefix.0``, ``prefix.1`` ... there are."""
    tails = [key.removeprefix(f"{prefix}.") for key in tensors if key.startswith(f"{prefix}.")]
    return len({tail.partition(".")[0] for tail in tails})


def _n_latent(tensors: Mapping[str, Tensor], decoder: str) -> int:
    conv = tensors.get(f"{decoder}keys.0.weight")
    return tensors[f"{decoder}keys"].shape[-1] if conv is None else len(conv)


def _key_size(tensors: Mapping[str, Tensor], decoder: str) -> int:
    listening = tensors.get(f"{decoder}linear_query.2.weight")
    return len(tensors[f"{decoder}linear_query.weight"] if listening is None else listening)


def _query_size(tensors: Mapping[str, Tensor]) -> int:
    learned = tensors.get("embedding.weight")
    return len(tensors["embedding.fc.weight"]) if learned is None else learned.shape[1]


def _query_net(tensors: Mapping[str, Tensor], hparams: Mapping[str, Any]) -> QueryNetConfig:
    n_convs = _count(tensors, "embedding.conv_nets")
    features = tuple(len(tensors[f"embedding.conv_nets.{i}.strided_conv.0.weight"]) for i in range(n_convs))
    strides = _find(hparams, "time_strides", list) or [2 if i % 3 == 0 else 1 for i in range(n_convs)]
    return QueryNetConfig(features, tuple(strides), tensors["embedding.gru.weight_hh_l0"].shape[1])


def _labels(hparams: Mapping[str, Any], n_rows: int) -> tuple[str, ...]:
    named = _find(hparams, "target_names", list) or _find(hparams, "labels", list)
    if named and len(named) == n_rows:
        return tuple(str(name) for name in named)
    return LABELS if n_rows == len(LABELS) else tuple(f"label-{number + 1}" for number in range(n_rows))


def _walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of nested settings with its value."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield str(key), value
            yield from _walk(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _walk(value)


def _find(hparams: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return the first value of a name and kind, wherever it lies; None if there is none."""
    return next((value for key, value in _walk(hparams) if key == name and type(value) is kind), None)


def _activation(hparams: Mapping[str, Any]) -> str | None:
    """Return the activation between layers: any that is named, but for those of the output."""
    named = [str(value).lower() for key, value in _walk(hparams) if "activation" in key and not key.startswith("last")]
    if any("leaky" in value for value in named):
        return "leaky_relu"
    return "relu" if any("relu" in value for value in named) else None


def translate(key: str, value: Tensor, *, n_features: int, n_latent: int, version: int) -> tuple[str, Tensor]:
    """Give a tensor of a published network (key without prefix) our name and our order of axes.

    Example:
        >>> translate("last_conv.0.bias", torch.zeros(4), n_features=24, n_latent=16, version=2)[0]
        'network.last.bias'
    """
    name, arranged = key, value
    if re.search(r"\.tfc\.H\.\d+\.0\.weight$", key):  # the newest layer comes first there, the block's input here
        parts = value.split(n_features, dim=1)
        n_layers = int(key.split(".")[-3])
        arranged = torch.cat([*parts[n_layers:], *reversed(parts[:n_layers])], dim=1)
    elif key.endswith(".keys"):
        arranged = value.reshape(value.shape[-2:])
    elif version == 1 and key.endswith(".LaSAFT_bn_layer.0.weight"):  # the latent source is slowest there
        arranged = value.view(n_latent, -1, value.shape[1]).transpose(0, 1).flatten(0, 1)
    widen, norm = ("0", "1") if version == 1 else ("1", "0")
    name = name.replace(f".LaSIFT.{widen}.", ".transform.widen.").replace(f".LaSIFT.{norm}.", ".transform.widen_norm.")
    for pattern, ours in RENAMED:
        name = re.sub(pattern, ours, name)
    return name if name.startswith("embedding.") else f"network.{name}", arranged
