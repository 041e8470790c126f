"""LaSAFT against stored vectors: our own, and those of the published implementation where they are at hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from unbraid.audio.segments import WindowLayout, overlap_add
from unbraid.models.lasaft import LasaftCondition
from unbraid.models.lasaft_network import Block, FastNetwork
from unbraid.models.layers.latent_attention import Generator, HeavyLasaft, LasaftShape, LightLasaft, modulate
from unbraid.models.layers.tfc import Tdf, Tfc
from unbraid.models.published_lasaft import build_lasaft, translate

sys.path.insert(0, str(Path(__file__).parent))
from make_lasaft_vectors import CASES, HOP, N_FRAMES, VECTORS

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "lasaft"
TOLERANCE = 1e-4

golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the vectors of the published implementation are not here")


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate.detach() - reference).abs().max() / reference.abs().max())


def published(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("w."): value for key, value in tensors.items() if key.startswith("w.")}


def load_golden(name: str) -> tuple[dict, dict[str, Tensor]]:
    path = GOLDEN / f"{name}.safetensors"
    if not path.exists():
        pytest.skip(f"{name} is not among the vectors")
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["config"]), load_file(path)


NETWORKS = [
    "v2_query_key_network",
    "v2_query_network",
    "v2_key_network",
    "v2_baseline_network",
    "v2_light_leaky_network",
    "v1_lasaft_network",
    "v1_lightsaft_network",
]


@golden
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_golden_networks(name, grad):
    config, content = load_golden(name)
    model = build_lasaft(published(content), config, name=name)
    queries = model.embedding.weight[content["in.condition"]]
    with torch.set_grad_enabled(grad):
        estimate = model.estimate(content["in.spec"], queries)
    assert relative(estimate, content["out.spec"]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", NETWORKS[:5])
def test_golden_networks_in_the_fast_form(name):
    config, content = load_golden(name)
    model = build_lasaft(published(content), config, name=name)
    with torch.no_grad():
        queries = model.embedding.weight[content["in.condition"]]
        estimates = FastNetwork(model.network, torch.float32)(content["in.spec"], queries)
    chosen = torch.stack([estimate[index] for index, estimate in enumerate(estimates)])
    assert relative(chosen, content["out.spec"]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", ["v1_lasaft_network", "v1_lightsaft_network"])
def test_golden_generated_gates(name):
    config, content = load_golden(name)
    model = build_lasaft(published(content), config, name=name)
    with torch.no_grad():
        gates = model.network.gates(model.embedding.weight[content["in.condition"]])
    for index, weights in enumerate(gates):
        expected = torch.cat([content["out.gammas"][:, index].flatten(1), content["out.betas"][:, index]], dim=1)
        assert relative(weights, expected) < TOLERANCE


@golden
def test_golden_audio_query():
    config, content = load_golden("v2_audio_query")
    model = build_lasaft(published(content), config, name="audio")
    with torch.no_grad():
        queries = model.embedding(content["in.query_spec"])
        estimate = model.estimate(content["in.spec"], queries)
    assert relative(queries, content["out.query_vector"]) < TOLERANCE
    assert relative(estimate, content["out.spec"]) < TOLERANCE


def shape_of(block: dict) -> LasaftShape:
    n_bins, light = block["f"], block["type"] != "lasaft"
    return LasaftShape(
        n_features=block["channels"],
        n_bins=n_bins,
        n_hidden=max((n_bins if light else n_bins * block["latent"]) // block["bn_factor"], block["min_bn_units"]),
        n_latent=block["latent"],
        query_size=block["emb"],
        key_size=block["dk"],
        query_listening=block.get("query_listen", False),
        key_listening=block.get("key_listen", False),
        norm_last=block["type"] == "lightsaft",
    )


def load_block(module: nn.Module, content: dict[str, Tensor], place: str, *, shape: LasaftShape, version: int) -> None:
    """Load a block through the same translation as a whole network, in which it lies at a place."""
    moved = {f"{place}.{key}": value for key, value in published(content).items()}
    pairs = (translate(k, v, n_features=shape.n_features, n_latent=shape.n_latent, version=version)
             for k, v in moved.items())  # fmt: skip
    gates = {"network.gates.0.": "gates.", "network.decoders.0.": "", "network.encoders.0.": ""}
    own = {}
    for key, value in pairs:
        prefix = next(one for one in gates if key.startswith(one))
        own[gates[prefix] + key.removeprefix(prefix)] = value
    module.load_state_dict(own)


@golden
@pytest.mark.parametrize("name", ["block_query_key", "block_query", "block_key", "block_light_gpocm"])
def test_golden_decoder_blocks(name):
    config, content = load_golden(name)
    block, shape = config["block"], shape_of(config["block"])
    module = Block(Tfc(block["in_channels"], block["channels"], block["layers"], "relu"), LightLasaft(shape))
    module.gates = Generator(shape.query_size, shape.n_features**2 + shape.n_features)
    load_block(module.eval(), content, "decoders.0", shape=shape, version=2)
    with torch.no_grad():
        queries = content["in.c"]
        convolved, gates = module.convolutions(content["in.x"]), module.gates(queries)
        modulated = modulate(convolved, gates)
        transformed = module.transform(modulated, queries)
        y = module(content["in.x"], queries, gates)
    assert relative(convolved, content["out.tfc"]) < TOLERANCE
    assert relative(gates, content["out.gpocm_theta"]) < TOLERANCE
    assert relative(modulated, content["out.gpocm"]) < TOLERANCE
    assert relative(modulated, convolved * content["out.gpocm_gate"]) < TOLERANCE
    assert relative(transformed, content["out.lasaft"]) < TOLERANCE
    assert relative(y, content["out.y"]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", ["v1_block_lasaft", "v1_block_lightsaft"])
def test_golden_blocks_of_version_1(name):
    config, content = load_golden(name)
    block, shape = config["block"], shape_of(config["block"])
    transform = HeavyLasaft(shape) if block["type"] == "lasaft" else LightLasaft(shape)
    module = Block(Tfc(block["in_channels"], block["channels"], block["layers"], "relu"), transform)
    load_block(module.eval(), content, "encoders.0", shape=shape, version=1)
    with torch.no_grad():
        convolved = module.convolutions(content["in.x"])
        transformed = module.transform(convolved, content["in.c"])
        y = module(content["in.x"], content["in.c"])
    assert relative(convolved, content["out.tfc"]) < TOLERANCE
    assert relative(transformed, content["out.lasaft"]) < TOLERANCE
    assert relative(y, content["out.y"]) < TOLERANCE


@golden
def test_golden_encoder_block():
    config, content = load_golden("block_tfc_tdf")
    block = config["block"]
    shape = shape_of({**block, "latent": 1, "emb": 1, "dk": 1})
    module = Block(Tfc(8, 8, block["layers"], "relu"), Tdf(8, block["f"], shape.n_hidden, "relu"))
    load_block(module.eval(), content, "encoders.0", shape=shape, version=2)
    with torch.no_grad():
        assert relative(module.convolutions(content["in.x"]), content["out.tfc"]) < TOLERANCE
        assert relative(module(content["in.x"], torch.zeros(2, 1)), content["out.y"]) < TOLERANCE


@golden
@pytest.mark.parametrize("name", ["plain", "bugzone", "exact", "single"])
def test_golden_chunks_without_their_defect(name):
    """The published joining doubles some overlaps by half; where it does not, ours gives the same, and always one."""
    config, content = load_golden("chunking")
    n_samples, overlap = config["tracks"][f"ov50_{name}"]
    track = content["in.track"][:n_samples].T
    core = config["window"] - 2 * config["trim"]
    layout = WindowLayout(core, overlap, fade="box")
    pieces = overlap_add([track], lambda windows, starts: (windows[:, None], None), layout=layout)
    joined = torch.cat([piece.estimates for piece in pieces], dim=-1)[0]
    torch.testing.assert_close(joined, track, rtol=1e-6, atol=1e-6)
    theirs = content[f"out.ov50_{name}.identity"].T
    is_defective = name in ("bugzone", "exact")
    assert torch.allclose(joined, theirs, atol=1e-6) != is_defective


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("name", sorted(CASES))
def test_stored_vectors(name, grad):
    content = load_file(VECTORS / f"{name}.safetensors")
    toy, activation = CASES[name]
    settings = {"hop_length": HOP, "num_frame": N_FRAMES, "activation": activation}
    model = build_lasaft(published(content), settings, name=name)
    waves = content["in.waves"]
    with torch.set_grad_enabled(grad):
        queries = model.embed_labels(["drums", "bass"]) if toy.n_labels else model.embed_waveforms(waves)
        estimate = model.separate_windows(waves, queries)
    assert relative(queries, content["out.queries"]) < TOLERANCE
    assert relative(estimate, content["out.estimate"]) < TOLERANCE


@pytest.mark.parametrize("name", sorted(CASES))
def test_both_doors_agree(name):
    content = load_file(VECTORS / f"{name}.safetensors")
    settings = {"hop_length": HOP, "num_frame": N_FRAMES, "activation": CASES[name][1]}
    model = build_lasaft(published(content), settings, name=name)
    waves = content["in.waves"]
    with torch.inference_mode():
        stems = model(waves, LasaftCondition(("a", "b"), content["out.queries"])).stems
        expected = model.synthesize(content["out.estimate"], waves.shape[-1])
    for index in range(2):
        assert relative(stems[index, index], expected[index]) < 1e-4
