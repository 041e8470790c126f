"""FiLM U-Net: sizes, classes, examples, channels, lengths, levels, precision, what is trained."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.signal import Audio
from unbraid.datasets.episodes import EpisodeBatch
from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Examples, Label, Prompts, Target
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES
from unbraid.models.film_unet import DEBUG, PRESETS, FilmUnet, FilmUnetCondition
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.layers.example_encoder import EncoderShape, ExampleEncoder
from unbraid.models.layers.folding import Fold
from unbraid.models.layers.unet import Unet, UnetShape, join_phases, phases
from unbraid.models.losses import cosine_loss, magnitude_loss
from unbraid.training.film_unet_step import by_examples

WITHOUT_NEGATIVES = replace(DEBUG, negatives=False, presence=False)
RATE = DEBUG.sample_rate


def build(config: FilmUnetConfig = DEBUG, *, seed: int = 0) -> FilmUnet:
    """A network in evaluation whose norms and masks are not those of a fresh one."""
    torch.manual_seed(seed)
    model = FilmUnet(config)
    for name, tensor in model.state_dict().items():
        if name.endswith(("norm.weight", "running_var")):
            tensor.uniform_(0.5, 2)
        elif name.endswith(("norm.bias", "running_mean")):
            tensor.normal_(std=0.3)
        elif name.startswith(("unet", "encoder")) and tensor.ndim == 4:
            tensor.normal_(std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> FilmUnet:
    return build()


def noise(n_channels: int, seconds: float, *, rate: int = RATE, seed: int = 0, level: float = 0.1) -> Audio:
    generator = torch.Generator().manual_seed(seed)
    return Audio(level * torch.randn(n_channels, round(seconds * rate), generator=generator), rate)


def tone(hertz: float, seconds: float, *, rate: int = RATE) -> Audio:
    return Audio(0.3 * (torch.arange(round(seconds * rate)) * hertz * 2 * torch.pi / rate).sin()[None], rate)


def ask(model: FilmUnet, *examples: Examples) -> FilmUnetCondition:
    return model.condition([Target(f"target-{i}", one) for i, one in enumerate(examples)])


@cache
def paper(preset: str) -> FilmUnet:
    return FilmUnet(PRESETS[preset])


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def cosine(one: Tensor, other: Tensor) -> float:
    return float(functional.cosine_similarity(one, other, dim=-1))


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("film-unet-classes", 9_843_970), ("few-shot", 10_461_762), ("few-shot-negatives", 10_986_562)],
)
def test_sizes_are_those_of_the_specified_build(preset, expected):
    assert count(paper(preset)) == expected


def test_sizes_of_the_parts():
    model = paper("few-shot-negatives")
    assert count(model.unet) == 9_824_514
    assert count(model.unet) - count(Unet(replace(model.config, input="magnitude").unet_shape())) == 400
    assert count(model.film) == 525_312
    assert count(paper("film-unet-classes").film) == 19_456
    assert count(model.encoder) == 111_936
    assert count(model.neg) == 524_800
    linear = ExampleEncoder(EncoderShape(front_end="linear"), sample_rate=22050, n_fft=1024)
    assert count(linear) == 111_936 + 2048 * 512 + 512


def test_small_sizes():
    assert count(FilmUnet(PRESETS["few-shot-small"])) == 2_747_859
    assert count(FilmUnet(PRESETS["few-shot-debug"])) < 50_000
    assert count(FilmUnet(PRESETS["film-unet-classes-debug"])) < 50_000


def test_every_layer_has_the_specified_size():
    model = copy.deepcopy(paper("few-shot")).eval()
    seen: dict[str, tuple[int, ...]] = {}
    for name, module in model.named_modules():
        if name.split(".")[-1].isdecimal():
            module.register_forward_hook(lambda _, __, output, name=name: seen.update({name: tuple(output.shape[1:])}))
    with torch.inference_mode():
        mixture = torch.zeros(1, 66_150)
        model.separate_windows(mixture, model.embed_examples(mixture))
    encoded, decoded = ([seen[f"unet.{side}.{i}"] for i in range(6)] for side in ("enc", "dec"))
    heard = [seen[f"encoder.block.{i}"] for i in range(4)]
    assert encoded == [(16, 257, 130), (32, 129, 65), (64, 65, 33), (128, 33, 17), (256, 17, 9), (512, 9, 5)]
    assert decoded == [(256, 17, 9), (128, 33, 17), (64, 65, 33), (32, 129, 65), (16, 257, 130), (2, 513, 259)]
    assert heard == [(64, 64, 129), (64, 32, 64), (64, 16, 32), (64, 8, 16)]
    inputs = [block.conv.in_channels for block in model.unet.dec]
    assert inputs == [512, 512, 256, 128, 64, 32]


def test_names_of_the_weights():
    keys = FilmUnet(PRESETS["few-shot-debug"]).state_dict().keys()
    for key in ("unet.enc.0.conv.weight", "unet.dec.3.conv.bias", "film.gamma.weight", "film.beta.bias", "neg.fc.bias"):
        assert key in keys
    assert "encoder.block.2.norm.running_var" in keys
    assert {key.split(".")[0] for key in keys} == {"unet", "film", "encoder", "neg", "presence"}


def test_a_fresh_network_is_drawn_as_specified():
    torch.manual_seed(0)
    model = FilmUnet(replace(DEBUG, n_features=(16, 32, 48))).requires_grad_(False)
    assert float(model.unet.enc[2].conv.weight.std()) == pytest.approx(0.02, rel=0.05)
    assert float(model.unet.dec[0].conv.weight.std()) == pytest.approx(0.02, rel=0.05)
    assert float(model.unet.enc[2].conv.bias.abs().max()) == 0
    assert bool((model.film.gamma.bias == 1).all())
    assert bool((model.film.beta.bias == 0).all())
    x, query = torch.randn(2, 48, 3, 3), torch.rand(2, 16)
    assert 0 < float((model.film(x, query) - x).abs().mean()) < 0.2


@pytest.mark.parametrize("preset", PRESETS)
def test_config_survives_json(preset):
    assert FilmUnetConfig.from_dict(json.loads(json.dumps(asdict(PRESETS[preset])))) == PRESETS[preset]


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": ("vocals",)},
        {"encoder": None},
        {"encoder": None, "classes": ("bass", "bass"), "negatives": False, "presence": False},
        {"encoder": None, "classes": ("bass",), "presence": False},
        {"input": "phase"},
        {"mask": "relu"},
        {"compression": 0.0},
        {"segment": -1.0},
        {"hop_length": 200},
        {"n_features": ()},
        {"kernel_size": 4},
        {"decoder_activation": "gelu"},
        {"decoder_dropout": 1.0},
        {"encoder": EncoderShape(n_features=(4,) * 6, n_mels=32)},
    ],
)
def test_configs_that_contradict_themselves(wrong):
    with pytest.raises(ModelError):
        replace(DEBUG, **wrong)


@pytest.mark.parametrize("damage", [{"encoder": {"front_end": "wave", "n_features": [1]}}, {"more": 1}, {"classes": 3}])
def test_foreign_configs(damage):
    with pytest.raises(ModelError, match="not the config"):
        FilmUnetConfig.from_dict({**asdict(DEBUG), **damage})


def test_classes():
    model = build(PRESETS["film-unet-classes-debug"])
    assert model.vocabulary == INSTRUMENT_CLASSES
    assert len(INSTRUMENT_CLASSES) == 18
    assert model.accepts == {Label}
    assert model.query_size is None
    condition = model.condition([Target("voice", Label("vocals")), Target("kit", Label("drums"))])
    assert condition.names == ("voice", "kit")
    assert torch.equal(condition.queries, torch.eye(18)[:2])
    with torch.inference_mode():
        stems, presence = model(torch.randn(1, 1, 5000), condition)
    assert presence is None
    assert not torch.allclose(stems[:, 0], stems[:, 1])


def test_what_a_network_of_classes_refuses():
    model = build(PRESETS["film-unet-classes-debug"])
    for guide, message in (
        (Label("kazoo"), "unknown label 'kazoo': this model knows vocals"),
        (Examples(noise(1, 1)), "takes Label, not Examples"),
        (Prompts("vocals"), "takes Label, not Prompts"),
    ):
        with pytest.raises(GuideError, match=message):
            model.condition([Target("x", guide)])
    with pytest.raises(GuideError, match="asked for twice"):
        model.condition([Target("x", Label("bass")), Target("y", Label("bass"))])
    with pytest.raises(GuideError, match="has 2 guides"):
        model.condition([Target("x", [Label("bass"), Label("drums")])])
    with pytest.raises(GuideError, match="takes classes"):
        model.embed(Examples(noise(1, 1)))
    with pytest.raises(GuideError, match="nothing is asked for"):
        model(torch.zeros(1, 1, 100), model.condition([]))
    with pytest.raises(ModelError, match="has no encoder"):
        model.embed_examples(torch.zeros(1, 9000))


def test_what_a_network_of_examples_refuses(model):
    with pytest.raises(GuideError, match="takes Examples and Label, not Prompts"):
        model.condition([Target("x", Prompts("vocals"))])
    with pytest.raises(GuideError, match="unknown label 'vocals': this model knows no labels"):
        model.condition([Target("x", Label("vocals"))])
    with pytest.raises(GuideError, match="has 2 guides: give one label, or examples"):
        model.condition([Target("x", [Label("vocals"), Examples(noise(1, 1))])])
    with pytest.raises(GuideError, match=r"0.03 s is too short: this model needs at least 0.05 s"):
        ask(model, Examples(noise(1, 0.03)))
    with pytest.raises(GuideError, match="unknown label"):
        model.embed_classes(["vocals"])


def test_examples_of_the_smallest_length_are_heard(model):
    samples = noise(1, 1).samples[:, : model.min_samples]
    assert bool(model.embed(Examples(Audio(samples, RATE))).isfinite().all())
    with pytest.raises(GuideError, match="too short"):
        model.embed(Examples(Audio(samples[:, :-1], RATE)))


def test_the_specified_smallest_example_has_sixteen_frames():
    model = paper("few-shot")
    assert model.config.encoder.min_frames == 16
    assert model.min_samples == 15 * 256


def test_taught_labels_stand_for_examples(model):
    model = copy.deepcopy(model)
    examples = Examples([noise(2, 1.5)], [noise(1, 1, seed=1)])
    vector = model.embed(examples)
    assert vector.shape == (model.query_size,) == (16,)
    model.teach("kazoo", vector)
    taught = model.condition([Target("x", Label("kazoo"))])
    assert torch.equal(taught.queries, ask(model, examples).queries)
    mixture = noise(2, 1).samples[None]
    with torch.inference_mode():
        assert torch.equal(model(mixture, taught).stems, model(mixture, ask(model, examples)).stems)


def test_negative_examples_need_their_layer():
    plain = build(WITHOUT_NEGATIVES)
    with pytest.raises(GuideError, match="takes no negative examples"):
        ask(plain, Examples(noise(1, 1), noise(1, 1)))
    with pytest.raises(GuideError, match="takes no negative examples"):
        plain.combine(torch.rand(1, 16), torch.rand(1, 16))


def test_negative_examples_change_the_query(model):
    positive, negative = noise(1, 1), tone(440, 1)
    alone, told, swapped = (
        ask(model, one).queries[0]
        for one in (Examples(positive), Examples(positive, negative), Examples(negative, positive))
    )
    assert not torch.allclose(alone, told)
    assert not torch.allclose(swapped, told)


def test_each_recording_counts_once():
    model = build(WITHOUT_NEGATIVES)
    short, long = noise(1, 0.7), Audio(tone(440, 1).samples.repeat(1, 5), RATE)
    parts = torch.stack([model.embed(Examples(one)) for one in (short, long)])
    torch.testing.assert_close(model.embed(Examples([short, long])), parts.mean(dim=0))


def test_several_guides_of_examples_are_one(model):
    first, second, third = noise(1, 1), tone(330, 1), tone(880, 1)
    together = ask(model, Examples([first, second], third))
    apart = model.condition([Target("target-0", [Examples(first, third), Examples(second)])])
    assert torch.equal(together.queries, apart.queries)
    assert torch.equal(together.rejected, apart.rejected)


def test_channels_of_examples(model):
    mono = noise(1, 1)
    query = model.embed(Examples(mono))
    for samples in (mono.samples.repeat(2, 1), torch.cat([mono.samples, -mono.samples])):
        torch.testing.assert_close(model.embed(Examples(Audio(samples, RATE))), query)


def test_rate_of_examples_makes_little_difference(model):
    low, high = tone(440, 1), tone(440, 1, rate=48000)
    assert cosine(model.embed(Examples(low)), model.embed(Examples(high))) > 0.999


def test_long_examples_are_averaged_over_their_windows():
    model = build(WITHOUT_NEGATIVES)
    one, other = noise(1, 1, seed=1), tone(440, 1)
    joined = Audio(torch.cat([one.samples, other.samples, torch.zeros(1, RATE)], dim=1), RATE)
    parts = torch.stack([model.embed(Examples(part)) for part in (one, other)])
    torch.testing.assert_close(model.embed(Examples(joined)), parts.mean(dim=0))


def test_training_and_inference_make_the_same_query(model):
    positive, negative = ([noise(1, 1, seed=3 * side + i) for i in range(2)] for side in range(2))
    signals = torch.cat([one.samples for one in (*positive, *negative)])
    halves = torch.tensor([[0.5, 0.5, 0.0, 0.0]] * 2)
    batch = EpisodeBatch(
        mixture=signals[:1],
        owner=torch.zeros(2, dtype=torch.long),
        references=signals[:2],
        labels=["bass", "bass"],
        examples=signals,
        positive=halves,
        negative=torch.stack([halves[0].flip(0), torch.zeros(4)]),
    )
    with torch.no_grad():
        query = by_examples(model, batch)
        plain = by_examples(model, batch._replace(negative=torch.zeros(2, 4)))
    torch.testing.assert_close(query[0], model.embed(Examples(positive, negative)))
    torch.testing.assert_close(query[1], plain[1])
    torch.testing.assert_close(plain[0], model.embed(Examples(positive)))


def test_training_and_inference_separate_the_same(model):
    mixture = noise(2, 1.1).samples
    condition = ask(model, Examples(noise(1, 1, seed=1)), Examples(tone(440, 1)))
    with torch.no_grad():
        stems = model(mixture[None], condition).stems[0]  # [S, C, N]
        for i, query in enumerate(condition.queries):
            estimates, magnitude = model.separate_windows(mixture, query.expand(2, -1))
            torch.testing.assert_close(stems[i], estimates, atol=1e-5, rtol=1e-3)
    assert magnitude.shape == model.compress(mixture).shape
    assert bool((magnitude <= model.compress(mixture)).all())


@pytest.mark.parametrize("n_samples", [1, 127, 128, 129, 5000])
@pytest.mark.parametrize("n_channels", [1, 2, 8])
def test_shape_and_length(model, n_samples, n_channels):
    condition = ask(model, Examples(noise(1, 1)), Examples(tone(440, 1)), Examples(tone(880, 1)))
    mixture = torch.randn(2, n_channels, n_samples)
    before = mixture.clone()
    with torch.inference_mode():
        stems, presence = model(mixture, condition)
    assert torch.equal(mixture, before)
    assert stems.shape == (2, 3, n_channels, n_samples)
    assert bool(stems.isfinite().all())
    assert presence.shape == (2, 3)
    assert bool(((presence >= 0) & (presence <= 1)).all())


@pytest.mark.parametrize("n_bins", [129, 128, 257])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 16, 17])
def test_the_unet_takes_any_size(model, n_bins, n_frames):
    x = torch.randn(1, 2, n_bins, n_frames)
    with torch.inference_mode():
        assert model.unet.decode(*model.unet.encode(x), size=x.shape[-2:]).shape == x.shape


def test_channels_and_windows_do_not_hear_each_other(model):
    condition = ask(model, Examples(noise(1, 1)))
    mixture = torch.randn(2, 3, 6000)
    with torch.inference_mode():
        together = model(mixture, condition).stems
        for window in range(2):
            for channel in range(3):
                alone = model(mixture[window : window + 1, channel : channel + 1], condition).stems
                torch.testing.assert_close(together[window, :, channel], alone[0, :, 0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-9, 1.0, 1e9])
@pytest.mark.parametrize("mask", ["tanh", "sigmoid"])
def test_levels(level, mask):
    model = build(replace(DEBUG, mask=mask))
    mixture = level * torch.cat([torch.randn(1, 1, 4000), torch.ones(1, 1, 4000)], dim=1)
    with torch.inference_mode():
        stems, presence = model(mixture, ask(model, Examples(noise(1, 1))))
    assert bool(stems.isfinite().all())
    assert bool(presence.isfinite().all())
    assert float(stems.square().sum()) <= 4 * float(mixture.square().sum())
    if level == 0:
        assert float(presence.max()) == 0


def test_what_is_quiet_is_separated_as_it_is(model):
    """Far below the knee of the logarithm nothing is compressed, so that level makes no difference."""
    condition = ask(model, Examples(noise(1, 1)))
    mixture = noise(1, 1, level=1e-6).samples[None]
    model_without_bias = copy.deepcopy(model)
    for block in (*model_without_bias.unet.enc, *model_without_bias.unet.dec):
        block.conv.bias.data.zero_()
        if block.norm is not None:
            block.norm.bias.data.zero_()
            block.norm.running_mean.zero_()
    model_without_bias.film.beta.weight.data.zero_()
    with torch.inference_mode():
        quiet, quieter = (model_without_bias(gain * mixture, condition).stems / gain for gain in (1.0, 0.5))
    scale = float(quiet.abs().max())
    assert scale > 0
    assert float((quieter - quiet / 2).abs().max()) < 1e-2 * scale  # a mask of half the radius is half as large


@pytest.mark.parametrize("preset", ["few-shot-debug", "film-unet-classes-debug"])
def test_norms_are_folded_without_a_difference(preset):
    model = build(PRESETS[preset])
    mixture, query = torch.randn(2, 9000), torch.rand(2, model.config.query_size)
    plain = model.separate_windows(mixture, query)[0].detach()
    with torch.no_grad():
        folded, _ = model.separate_windows(mixture, query)
    assert not torch.equal(plain, folded)
    assert float((plain - folded).abs().max()) < 1e-5 * float(plain.abs().max())


def test_folded_norms_follow_their_weights(model):
    model = copy.deepcopy(model)
    mixture, query = torch.randn(1, 9000), torch.rand(1, 16)
    with torch.inference_mode():
        before, _ = model.separate_windows(mixture, query)
    other = build(seed=1)
    model.load_state_dict(other.state_dict())
    with torch.inference_mode():
        after, _ = model.separate_windows(mixture, query)
        expected, _ = other.separate_windows(mixture, query)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, expected)
    with torch.no_grad():
        model.unet.enc[0].norm.weight.mul_(2)
        changed, _ = model.separate_windows(mixture, query)
    assert not torch.allclose(changed, after)


def test_networks_that_were_built_for_inference_alone():
    with torch.inference_mode():
        model = build()
        before, _ = model.separate_windows(torch.ones(1, 5000), torch.ones(1, 16))
        model.unet.enc[0].norm.weight.mul_(2)
        after, _ = model.separate_windows(torch.ones(1, 5000), torch.ones(1, 16))
    assert not torch.allclose(before, after)


def test_only_affine_norms_are_folded():
    with pytest.raises(ValueError, match="can be folded"):
        Fold()(torch.nn.Conv2d(1, 1, 1, bias=False), torch.nn.BatchNorm2d(1))


def test_bfloat16(model):
    condition = ask(model, Examples(noise(1, 1)))
    mixture = noise(1, 1).samples[None]
    with torch.inference_mode():
        exact, sure = model(mixture, condition)
        with torch.autocast("cpu", torch.bfloat16):
            rough, about = model(mixture, condition)
    assert rough.dtype == torch.float32
    assert float((rough - exact).square().sum()) < 0.01 * float(exact.square().sum())
    assert float((about - sure).abs().max()) < 0.05


@pytest.mark.parametrize(
    "variant",
    [
        {"input": "magnitude"},
        {"mask": "sigmoid"},
        {"decoder_activation": "relu", "decoder_dropout": 0.5},
        {"compression": 10.0},
        {"encoder": EncoderShape(embedding_size=8, n_features=(4, 4), front_end="linear")},
        {"encoder": EncoderShape(8, (4, 4), n_mels=20, mel_scale="htk", mel_norm="area")},
    ],
)
def test_variants_train_and_separate(variant):
    config = replace(DEBUG, **variant)
    torch.manual_seed(0)
    model = FilmUnet(config)
    recordings = 0.1 * torch.randn(2, 2, 6000)
    query = model.combine(*(model.embed_examples(side) for side in recordings.unbind(dim=1)))
    estimates, magnitude = model.separate_windows(recordings[:, 0], query)
    loss = cosine_loss(estimate=estimates, reference=recordings[:, 1])
    loss = loss + magnitude_loss(estimate=magnitude, reference=model.compress(recordings[:, 1]))
    loss.mean().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith("presence"), name
        assert parameter.grad is None or bool(parameter.grad.isfinite().all())
    model.eval()
    with torch.inference_mode():
        assert bool(model(recordings, ask(model, Examples(noise(1, 1)))).stems.isfinite().all())


def test_gradients_of_silence_are_finite():
    model = FilmUnet(DEBUG)
    silence = torch.zeros(2, 6000)
    query = model.combine(model.embed_examples(silence))
    estimates, magnitude = model.separate_windows(silence, query)
    loss = cosine_loss(estimate=estimates, reference=silence).sum() + magnitude.sum() + estimates.square().sum()
    loss.backward()
    assert all(bool(one.grad.isfinite().all()) for one in model.parameters() if one.grad is not None)


def test_it_learns_to_follow_examples():
    """Two tones in one mixture: after a few steps each is drawn out by its own example."""
    torch.manual_seed(0)
    model = FilmUnet(replace(WITHOUT_NEGATIVES, n_features=(8, 12, 16)))
    low, high = (tone(hertz, 0.2).samples[0] for hertz in (300, 2500))
    references, mixture = torch.stack([low, high]), (low + high).expand(2, -1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(30):
        estimates, magnitude = model.separate_windows(mixture, model.embed_examples(references))
        loss = cosine_loss(estimate=estimates, reference=references).mean()
        loss = loss + magnitude_loss(estimate=magnitude, reference=model.compress(references)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    estimates = estimates.detach()
    assert float(cosine_loss(estimate=estimates, reference=references).max()) < -0.95
    assert float(cosine_loss(estimate=estimates, reference=references.flip(0)).abs().max()) < 0.3


def test_presence_is_told_by_level_and_resemblance(model):
    mixture = torch.stack([tone(440, 1).samples, noise(1, 1).samples])
    estimate = torch.stack([mixture / 10, torch.zeros_like(mixture), mixture], dim=1)
    query = torch.rand(2, 3, 16)
    evidence = model.presence_evidence(mixture, estimate, query)
    assert [tuple(one.shape) for one in evidence] == [(2, 3)] + [(2, 3, 16)] * 4
    torch.testing.assert_close(evidence.level, torch.tensor([[-2.0, -6.0, 0.0]] * 2))
    torch.testing.assert_close(evidence.mixture[:, 2], evidence.estimate[:, 2])
    assert not torch.allclose(evidence.mixture[0], evidence.mixture[1])
    logits = model.presence(evidence)
    nearer = model.presence(evidence._replace(query=evidence.estimate))
    told = model.presence(evidence._replace(rejected=torch.rand(2, 3, 16)))
    assert logits.shape == (2, 3)
    assert not torch.allclose(logits, nearer)
    assert not torch.allclose(logits, told)


def test_presence_can_be_fitted_while_the_network_rests(model):
    """Whether the example is of the sound in the mixture is learned from evidence alone."""
    model = copy.deepcopy(model)
    hertz = (200, 800, 2400, 7000)
    tones = torch.stack([tone(one, 0.2).samples for one in hertz])
    with torch.no_grad():
        queries = model.combine(model.embed_examples(tones[:, 0]))
    sounds = torch.eye(len(hertz))
    estimate = tones[:, None].repeat(1, len(hertz), 1, 1)
    evidence = model.presence_evidence(tones, estimate, queries.expand(len(hertz), -1, -1))
    assert not any(one.requires_grad for one in evidence)
    model.presence.train()
    optimizer = torch.optim.Adam(model.presence.parameters(), lr=0.02)
    for _ in range(80):
        weight = torch.tensor(len(hertz) - 1.0)
        loss = functional.binary_cross_entropy_with_logits(model.presence(evidence), sounds, pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    assert bool(((model.presence(evidence) > 0) == (sounds > 0)).all())
    with torch.inference_mode():
        alone = model(tones[:1], FilmUnetCondition(tuple("abcd"), queries, torch.zeros_like(queries))).presence
    assert alone.shape == (1, 4)


def test_presence_does_not_depend_on_the_company(model):
    mixture, estimate = torch.randn(3, 1, 6000), torch.randn(3, 2, 1, 6000)
    query, rejected = torch.rand(2, 3, 2, 16)
    rejected[1] = 0
    with torch.inference_mode():
        together = model.presence(model.presence_evidence(mixture, estimate, query, rejected))
        for i in range(3):
            part = slice(i, i + 1)
            evidence = model.presence_evidence(mixture[part], estimate[part], query[part], rejected[part])
            torch.testing.assert_close(model.presence(evidence), together[part], atol=1e-4, rtol=1e-4)


def test_presence_hears_the_mixture_once(model):
    heard = []
    hook = model.encoder.register_forward_pre_hook(lambda _, inputs: heard.append(len(inputs[0])))
    condition = ask(model, Examples(noise(1, 1)), Examples(tone(440, 1)))
    heard.clear()
    with torch.inference_mode():
        model(torch.randn(1, 2, 6000), condition)
    hook.remove()
    assert heard == [3]


ROOM = (0.5, 2.0, -0.2, 2.0)


@pytest.fixture(scope="module")
def fitted(model) -> FilmUnet:
    """The same network, with presence told by the room for the examples."""
    return build(replace(DEBUG, room=ROOM))


def told(model: FilmUnet, mixture: Audio, *examples: Examples) -> Tensor:
    with torch.inference_mode():
        return model(mixture.samples[None], ask(model, *examples)).presence[0]


def test_presence_is_told_by_the_room_for_the_examples(model, fitted):
    mixture = tone(440, 1)
    presence = told(fitted, mixture, Examples(tone(440, 0.6)), Examples(tone(3000, 0.6)), Examples(noise(1, 0.6)))
    assert float(presence[0]) > float(presence[1:].max()) + 0.3
    assert torch.equal(ask(model, Examples(tone(440, 1))).envelopes, ask(fitted, Examples(tone(440, 1))).envelopes)


def test_presence_of_labels_without_envelopes_is_told_by_the_head(fitted):
    """They were taught before envelopes were kept; all of a request may be, or some."""
    mixture = noise(1, 1).samples[None]
    new = ask(fitted, Examples(tone(440, 0.6)), Examples(tone(900, 0.6)))
    old = replace(new, envelopes=torch.zeros_like(new.envelopes))
    mixed = replace(new, envelopes=torch.stack([new.envelopes[0], torch.zeros_like(new.envelopes[1])]))
    n_envelopes = []
    judge = fitted.room_evidence

    def count(*given):
        n_envelopes.append(len(given[2]))
        return judge(*given)

    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitted, "room_evidence", count)
        by_room, by_head, by_both = (fitted(mixture, one).presence[0] for one in (new, old, mixed))
    assert n_envelopes == [2, 1], "a transform of no stem at all is an error of some libraries"
    torch.testing.assert_close(by_both, torch.stack([by_room[0], by_head[1]]))


def test_how_presence_is_told_leaves_the_stems_alone_bit_for_bit(model, fitted):
    examples = [Examples(noise(1, 1)), Examples(tone(440, 1), tone(900, 1))]
    mixture = torch.randn(2, 2, 7000)
    with torch.inference_mode():
        answers = [one(mixture, ask(one, *examples)) for one in (model, fitted)]
    assert torch.equal(answers[0].stems, answers[1].stems)
    assert not torch.equal(answers[0].presence, answers[1].presence)


def test_the_level_of_examples_their_rate_and_their_channels_hardly_matter(fitted):
    mixture = Audio(tone(440, 1).samples + noise(1, 1).samples, RATE)
    plain = tone(440, 0.6)
    others = [
        Audio(plain.samples / 100, RATE),
        Audio(plain.samples.expand(2, -1), RATE),
        Audio(torch.cat([plain.samples, -plain.samples]), RATE),
        tone(440, 0.6, rate=48000),
    ]
    for other in others:
        found = (ask(fitted, Examples(one)).envelopes for one in (plain, other))
        torch.testing.assert_close(*found, atol=2e-3, rtol=0)
    stereo = Audio(mixture.samples.expand(2, -1), RATE)
    torch.testing.assert_close(
        told(fitted, mixture, Examples(plain)), told(fitted, stereo, Examples(plain)), atol=1e-3, rtol=0
    )


def test_recordings_count_once_each_whatever_their_level(fitted):
    loud, faint = tone(440, 0.6), Audio(tone(3000, 2.4).samples / 50, RATE)
    one, other, both = (
        ask(fitted, one).envelopes for one in (Examples(loud), Examples(faint), Examples([loud, faint]))
    )
    torch.testing.assert_close(both, (one + other) / 2)
    torch.testing.assert_close(ask(fitted, Examples(loud, faint)).envelopes, one)


@pytest.mark.parametrize("n_samples", [1, 40, 3000])
def test_presence_of_short_and_of_silent_mixtures(fitted, n_samples):
    for mixture in (torch.zeros(1, n_samples), 0.1 * torch.ones(1, n_samples)):
        presence = told(fitted, Audio(mixture, RATE), Examples(noise(1, 1)))
        assert bool(((presence >= 0) & (presence <= 1)).all())
        assert bool((presence > 0).all()) == bool(mixture.any())


def test_a_label_remembers_what_presence_goes_by(fitted):
    model = copy.deepcopy(fitted)
    examples = Examples(tone(440, 1), noise(1, 1))
    model.teach("beep", model.remember(examples))
    assert len(model.taught["beep"]) == model.query_size + model.memory_size
    label, listened = model.condition([Target("beep", Label("beep"))]), ask(model, examples)
    assert torch.equal(label.envelopes, listened.envelopes)
    assert torch.equal(label.queries, listened.queries)
    assert torch.equal(model.embed(examples), listened.queries[0])


def test_a_label_without_memory_is_judged_as_before(model, fitted):
    before, after = copy.deepcopy(model), copy.deepcopy(fitted)
    for one in (before, after):
        one.teach("beep", one.embed(Examples(tone(440, 1))))
    beside = Examples(noise(1, 1))
    mixture = torch.randn(2, 1, 6000)
    targets = [Target("noise", beside), Target("beep", Label("beep"))]
    with torch.inference_mode():
        old, new = (one(mixture, one.condition(targets)).presence for one in (before, after))
        alone = after(mixture, ask(after, beside)).presence
    assert torch.allclose(old[:, 1], new[:, 1], atol=1e-5)
    assert torch.allclose(alone[:, 0], new[:, 0], atol=1e-5)
    assert not torch.allclose(old[:, 0], new[:, 0], atol=1e-3)


@pytest.mark.parametrize("size", [15, 17, 16 + 63, 16 + 65])
def test_a_memory_of_another_size_is_refused(model, size):
    with pytest.raises(GuideError, match="another model"):
        copy.deepcopy(model).teach("beep", torch.zeros(size))


def test_weights_of_the_room_are_checked_and_kept():
    config = replace(DEBUG, room=ROOM)
    assert FilmUnetConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config
    older = {key: value for key, value in asdict(DEBUG).items() if key != "room"}
    assert FilmUnetConfig.from_dict(older) == DEBUG
    for broken in ({"room": ROOM[:3]}, {"presence": False}):
        with pytest.raises(ModelError, match="slopes and a bias"):
            replace(config, **broken)


def test_narrow_precision_hardly_changes_presence(fitted):
    mixture = Audio(tone(440, 1).samples + noise(1, 1).samples, RATE)
    exact = told(fitted, mixture, Examples(tone(440, 1)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = told(fitted, mixture, Examples(tone(440, 1)))
    assert rough.dtype == torch.float32
    assert float((exact - rough).abs().max()) < 0.1


@pytest.mark.parametrize("kernel_size", [3, 5, 7])
@pytest.mark.parametrize("size", [(7, 12), (8, 11)])
def test_phases_are_a_transposed_convolution(kernel_size, size):
    x, weight, bias = torch.randn(2, 3, 4, 6), torch.randn(3, 5, kernel_size, kernel_size), torch.randn(5)
    half = kernel_size // 2
    extra = tuple(1 - wanted % 2 for wanted in size)
    y = functional.conv_transpose2d(x, weight, bias, stride=2, padding=half, output_padding=extra)
    rewritten, biases = phases(weight, bias)
    z = join_phases(functional.conv2d(x, rewritten, biases, padding=rewritten.shape[-1] // 2), size)
    assert y.shape == z.shape == (2, 5, *size)
    torch.testing.assert_close(z, y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["leaky_relu", "relu"])
@pytest.mark.parametrize("size", [(33, 20), (34, 19)])
def test_inference_decodes_as_training_does(activation, size):
    torch.manual_seed(0)
    unet = Unet(UnetShape(n_inputs=2, n_outputs=2, n_features=(6, 20, 24), activation=activation)).eval()
    for module in unet.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    bottleneck, levels = unet.encode(torch.randn(2, 2, *size))
    bottlenecks = [bottleneck, torch.randn_like(bottleneck)]
    plain = [unet.decode(one, levels, size=size).detach() for one in bottlenecks]
    with torch.inference_mode():
        fast = list(unet.decode_each(bottlenecks, levels, size=size))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            narrow = list(unet.decode_each(bottlenecks, levels, size=size))
    for one, other, rough in zip(fast, plain, narrow, strict=True):
        assert (one - other).norm() < 1e-5 * other.norm()
        assert (rough - other).norm() < 0.02 * other.norm()
    with torch.enable_grad():
        assert all(one.requires_grad for one in unet.decode_each(bottlenecks, levels, size=size))


def test_the_mixture_is_encoded_once_for_all_targets(model):
    calls = []
    hooks = [model.unet.enc[0].register_forward_hook(lambda *_: calls.append("enc"))]
    hooks.append(model.film.register_forward_hook(lambda *_: calls.append("film")))
    condition = ask(model, Examples(noise(1, 1)), Examples(tone(440, 1)))
    with torch.inference_mode():
        model(torch.randn(1, 2, 6000), condition)
    for hook in hooks:
        hook.remove()
    assert calls == ["enc", "film", "film"]
    assert condition.crop(1, 2) is condition


def test_weights_are_restored_bit_for_bit(model):
    twin = FilmUnet(FilmUnetConfig.from_dict(asdict(model.config)))
    twin.load_state_dict({key: value.contiguous() for key, value in model.state_dict().items()})
    condition = ask(model, Examples(noise(1, 1)))
    with torch.inference_mode():
        mixture = torch.randn(1, 1, 6000)
        assert torch.equal(model(mixture, condition).stems, twin.eval()(mixture, condition).stems)
