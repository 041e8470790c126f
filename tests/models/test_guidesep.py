"""GuideSep: sizes, what it is told, what it answers, and published checkpoints in every form."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from unbraid.errors import ModelError
from unbraid.models.diffusion import Multistep, NoiseConfig, euler, heun
from unbraid.models.guidesep import PRESETS, Guidesep, match_level, to_peak
from unbraid.models.guidesep_conditions import MISSING, DropoutRates, Given, compress, draw_dropped, expand
from unbraid.models.guidesep_network import GuidesepConfig, TwinShape, TwinUnet
from unbraid.models.published_guidesep import UNUSED, build_guidesep, import_guidesep

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from published_guidesep_tensors import PUBLISHED, Toy, published_guidesep_tensors, published_shapes

DEBUGS = ["guidesep-debug", "guidesep-mask-debug"]
SETTINGS = {"model": {"resnet_groups": 2}, "attn_heads": 1, "sigma_data": 0.3, "hop_length": 8}


def make(preset: str, **changes) -> Guidesep:
    """Build a model whose answers are not all the same, as they are before training."""
    torch.manual_seed(0)
    model = Guidesep(replace(PRESETS[preset], **changes)).eval()
    torch.nn.init.normal_(model.network.last.weight, std=0.1)
    return model


def n_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("preset", "n_network", "n_all", "toy"),
    [
        ("guidesep", 88_488_813, 93_277_165, PUBLISHED),
        ("guidesep-mask", 75_711_588, 80_254_564, replace(PUBLISHED, noisy=False)),
    ],
)
def test_published_sizes(preset, n_network, n_all, toy):
    with torch.device("meta"):
        model = Guidesep(PRESETS[preset])
    assert n_parameters(model.network) == n_network
    assert n_parameters(model.projection) == 86_528
    sizes = {key: math.prod(shape) for key, shape in published_shapes(toy)}
    assert sum(sizes.values()) == n_all
    assert sum(size for key, size in sizes.items() if not UNUSED.search(key)) == n_parameters(model)


@pytest.mark.parametrize(
    ("preset", "limit"),
    [("guidesep-small", 12e6), ("guidesep-mask-small", 12e6), *((name, 50e3) for name in DEBUGS)],
)
def test_own_sizes(preset, limit):
    with torch.device("meta"):
        assert n_parameters(Guidesep(PRESETS[preset])) < limit


@pytest.mark.parametrize("preset", PRESETS)
def test_configs_come_back_from_json(preset):
    values = json.loads(json.dumps(asdict(PRESETS[preset])))
    assert GuidesepConfig.from_dict(values) == PRESETS[preset]


@pytest.mark.parametrize("values", [{}, {"network": {}, "noise": None}, {**asdict(PRESETS["guidesep"]), "flux": 1}])
def test_other_configs_are_refused(values):
    with pytest.raises(ModelError, match="not the config of a GuideSep network"):
        GuidesepConfig.from_dict(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hop_length": 300}, "2 hops less 2"),
        ({"n_frames": 250}, "multiples of 16"),
        ({"noise": None}, "must be"),
        ({"scale": 0.0}, "must be positive"),
    ],
)
def test_impossible_configs_are_refused(values, words):
    with pytest.raises(ModelError, match=words):
        GuidesepConfig(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"attention": (True,)}, "each level"),
        ({"n_features": 12}, "multiples of 8 groups"),
        ({"n_heads": 3}, "multiples of 3 heads"),
        ({"noisy": False}, "not told"),
        ({"n_blocks": 0}, "positive"),
    ],
)
def test_impossible_shapes_are_refused(values, words):
    with pytest.raises(ModelError, match=words):
        TwinShape(**values)


def test_twins_begin_alike_and_answer_zero():
    network = TwinUnet(PRESETS["guidesep-debug"].network)
    twin = dict(network.condition.named_parameters())
    for name, value in network.score.named_parameters():
        assert name.startswith("stem.") or torch.equal(value, twin[name])
    for up in network.score.ups:
        filters = up.up.weight.unflatten(0, (-1, 4))
        assert torch.equal(filters, filters[:, :1].expand_as(filters))
    spectrogram = torch.randn(1, 2, 16, 8)
    assert network(spectrogram, torch.randn(1, 5, 16, 8), noise=torch.zeros(1)).abs().max() == 0


def test_compression_is_undone():
    spectrogram = torch.randn(2, 3, 4, dtype=torch.complex64, generator=seeded())
    spectrogram[0, 0, 0] = 0
    restored = expand(compress(spectrogram, exponent=0.2, scale=0.6), exponent=0.2, scale=0.6)
    torch.testing.assert_close(restored, spectrogram, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 31, 1000])
def test_spectrograms_are_undone_and_fit_the_network(n_samples):
    model, waveform = make("guidesep-debug"), torch.randn(2, n_samples, generator=seeded())
    spectrogram = model.analyze(waveform)
    assert not any(size % model.config.network.step for size in spectrogram.shape[2:])
    torch.testing.assert_close(model.synthesize(spectrogram, n_samples), waveform, rtol=1e-3, atol=1e-4)


def test_what_is_missing_is_minus_one():
    model, like = make("guidesep-debug"), torch.rand(3, 2, 32, 8)
    assert (model.channels(Given(), like) == MISSING).all()
    masks = torch.rand(3, 80, 20)
    given = Given(like, like[:, 0], masks[..., :5], masks)
    full = model.channels(given, like)
    assert torch.equal(full[:, :2], like)
    assert torch.equal(full[:, 2], like[:, 0])
    torch.testing.assert_close(full[:, 3, :, 5:], model.projection(torch.zeros(3, 80, 3)))  # filled with zeros
    torch.testing.assert_close(full[:, 4], model.projection(masks[..., :8]))  # cut
    dropped = draw_dropped(3, seeded(), rates=DropoutRates(mixture=1, mimicry=1, positive=1, negative=0))
    some = model.channels(given, like, dropped=dropped)
    assert (some[:, :4] == MISSING).all()
    assert torch.equal(some[:, 4], full[:, 4])


def test_rates_of_dropout():
    dropped = draw_dropped(40000, seeded())
    both = dropped.positive & dropped.negative
    for drawn, rate in (
        (dropped.positive, 0.7),
        (dropped.negative, 0.7),
        (both, 0.49),
        (~dropped.positive & ~dropped.negative, 0.09),
        (dropped.mimicry, 0.153),
        (dropped.mixture, 0.1),
    ):
        assert float(drawn.float().mean()) == pytest.approx(rate, abs=0.01)
    assert not (both & dropped.mimicry).any()


@pytest.mark.parametrize("n_samples", [1, 500, 1500])
@pytest.mark.parametrize("preset", DEBUGS)
def test_every_length_and_level_is_answered(preset, n_samples):
    model, mixture = make(preset), torch.randn(2, n_samples, generator=seeded())
    hummed, mask = torch.randn(2, n_samples, generator=seeded(1)), torch.rand(2, 80, 7)
    soft, loud = (
        model.separate_window(level * mixture, hummed, mask, generator=seeded(2), n_steps=3) for level in (1e-3, 10.0)
    )
    assert soft.shape == mixture.shape
    assert loud.abs().max() > 0
    assert bool(loud.isfinite().all())
    torch.testing.assert_close(loud, 1e4 * soft, rtol=1e-2, atol=1e-3 * float(loud.abs().max()))
    silent = model.separate_window(0 * mixture, generator=seeded(), n_steps=3)
    assert silent.abs().max() == 0


@pytest.mark.parametrize("solver", [euler, heun, Multistep(2), Multistep(3, predicts_noise=False)])
def test_the_seed_decides(solver):
    model, mixture = make("guidesep-debug"), torch.randn(1, 900, generator=seeded())
    first, again, other = (
        model.separate_window(mixture, generator=seeded(seed), n_steps=4, solver=solver) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-4)


@pytest.mark.parametrize(
    ("solver", "noisy_condition", "n_heard"), [(euler, True, 4), (heun, True, 5), (euler, False, 1)]
)
def test_the_condition_is_heard_once_for_each_level(solver, noisy_condition, n_heard):
    shape = replace(PRESETS["guidesep-debug"].network, noisy_condition=noisy_condition)
    model, calls, stems = make("guidesep-debug", network=shape), [], []
    model.network.condition.register_forward_hook(lambda *_: calls.append(1))
    model.network.condition.stem.register_forward_hook(lambda *_: stems.append(1))
    condition, noise = torch.rand(1, 5, 32, 8), torch.randn(1, 2, 32, 8, generator=seeded())
    with torch.no_grad():
        sampled = model.sample(condition, noise, n_steps=5, solver=solver)
        assert (len(calls), len(stems)) == (n_heard, 1)
        plain = solver(
            lambda noisy, sigma: model.denoise(noisy, condition, sigma[None]), 80 * noise, torch.tensor([80.0, 1.0])
        )
        kept = solver(model.conditioned(condition), 80 * noise, torch.tensor([80.0, 1.0]))
    assert sampled.abs().max() <= 1
    torch.testing.assert_close(kept, plain)


def test_patches_keep_the_size():
    shape = TwinShape(n_features=8, multipliers=(1,), attention=(True,), n_blocks=1, n_groups=4, patch=2)
    assert shape.step == 4
    network = TwinUnet(shape)
    assert network(torch.zeros(1, 2, 8, 12), torch.zeros(1, 5, 8, 12), noise=torch.zeros(1)).shape == (1, 2, 8, 12)


def test_mask_prediction_stays_below_the_mixture():
    model, magnitude = make("guidesep-mask-debug"), torch.rand(1, 1, 32, 8)
    estimate = model.estimate_magnitude(magnitude, model.channels(Given(), magnitude))
    assert ((estimate > 0) & (estimate < magnitude)).all()
    with pytest.raises(ModelError, match="knows no noise"):
        model.denoise(magnitude, magnitude, torch.ones(1))


def test_levels():
    assert to_peak(torch.tensor([[0.5, -2.0], [0.0, 0.0]])).tolist() == [[0.25, -1.0], [0.0, 0.0]]
    mixture = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(match_level(estimate=7 * mixture, mixture=mixture), mixture)
    assert match_level(estimate=-mixture, mixture=mixture).abs().max() == 0


@pytest.mark.parametrize("toy", [Toy(), Toy(noisy=False), Toy(multipliers=(1, 2, 2), attention=(True, False, True))])
def test_published_checkpoints_are_read(tmp_path, toy):
    tensors = published_guidesep_tensors(toy, seed=0)
    windows = {"mel_spec_transforms.0.spectrogram.window": torch.ones(64)}
    torch.save({"state_dict": {**tensors, **windows}, "epoch": 6399}, tmp_path / "last.ckpt")
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    model = import_guidesep(tmp_path / "last.ckpt", hparams=tmp_path / "settings.yaml")
    shape = model.config.network
    assert (shape.n_features, shape.n_groups, shape.n_heads, shape.n_blocks) == (toy.n_features, 2, 1, toy.n_blocks)
    assert (shape.multipliers, shape.attention) == (toy.multipliers, toy.attention)
    assert model.config.noise == (NoiseConfig(data=0.3) if toy.noisy else None)
    assert (model.config.n_fft, model.config.hop_length, model.config.n_mels) == (30, 8, 6)
    assert torch.equal(model.network.score.downs[0].down.weight, tensors["net.downs.0.ds_block.0.1.weight"])
    assert torch.equal(
        model.network.condition.middle.second.first.weight,
        tensors["net.cond_mid_block.mid_block2.block1.project.weight"],
    )
    assert not model.training


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("net.init_conv_cond.convs.0.weight", "'net.init_conv_cond.convs.0.weight' is missing"),
        ("mlp.output_layer.weight", "mlp.output_layer.weight' is missing"),
        ("net.ups.1.us_block.3.net.0.bias", r"network\.score\.ups\.1\.up\.bias should be \(16,\) .* gives nothing"),
    ],
)
def test_a_missing_tensor_is_named(key, words):
    tensors = published_guidesep_tensors(Toy(), seed=0)
    with pytest.raises(ModelError, match=words):
        build_guidesep({name: value for name, value in tensors.items() if name != key}, SETTINGS, name="toy")


def test_foreign_tensors_and_files_are_refused(tmp_path):
    tensors = {**published_guidesep_tensors(Toy(), seed=0), "net.downs.0.flux": torch.zeros(1)}
    with pytest.raises(ModelError, match=r"toy: tensor network\.score\.downs\.0\.flux is none of a GuideSep network"):
        build_guidesep(tensors, SETTINGS, name="toy")
    with pytest.raises(ModelError, match="multiples of 8 groups"):
        build_guidesep(tensors, {}, name="toy")
    torch.save([1, 2], tmp_path / "net.ckpt")
    with pytest.raises(ModelError, match=r"net\.ckpt: holds no table"):
        import_guidesep(tmp_path / "net.ckpt")
    (tmp_path / "settings.yaml").write_text("- a list")
    torch.save({"state_dict": tensors}, tmp_path / "net.ckpt")
    with pytest.raises(ModelError, match=r"settings\.yaml: holds no settings"):
        import_guidesep(tmp_path / "net.ckpt", hparams=tmp_path / "settings.yaml")
