"""LaSAFT: sizes, labels and examples, channels, lengths, speed without change, attention, presence."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Examples, Label, Prompts, Target, spell_targets
from unbraid.models.lasaft import PRESETS, Lasaft, spectrogram_mse, waveform_mae
from unbraid.models.lasaft_network import FastNetwork, LasaftConfig

DEBUG = PRESETS["lasaft-debug"]
AUDIO_DEBUG = PRESETS["lasaft-audio-debug"]
VARIANTS = {
    "both": DEBUG,
    "query": replace(DEBUG, key_listening=False),
    "key": replace(DEBUG, query_listening=False),
    "none": replace(DEBUG, query_listening=False, key_listening=False),
    "leaky": replace(DEBUG, activation="leaky_relu", n_blocks=3, n_layers=3),
    "heavy": replace(DEBUG, version=1, light=False, query_listening=False, key_listening=False),
    "light": replace(DEBUG, version=1, query_listening=False, key_listening=False),
}


def make(config: LasaftConfig, *, seed: int = 0) -> Lasaft:
    """A network with random weights, and with statistics of the norms that are not the initial ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Lasaft(config)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                if module.weight is not None:
                    nn.init.uniform_(module.weight, 0.5, 2)
                    nn.init.normal_(module.bias)
        return model.eval()


@pytest.fixture(scope="module")
def model() -> Lasaft:
    return make(DEBUG)


@pytest.fixture(scope="module")
def listener() -> Lasaft:
    return make(AUDIO_DEBUG)


def ask(model: Lasaft, names: str):
    return model.condition(spell_targets(Prompts(names)))


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def count(config: LasaftConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Lasaft(config).parameters())


PUBLISHED = {
    "lasaft-v1-small": 8_424_028,
    "lasaft-v1-large": 31_541_908,
    "lightsaft-v1-small": 2_374_236,
    "lightsaft-v1-large": 7_142_036,
    "lasaft-baseline": 2_347_684,
    "lasaft-query": 2_411_354,
    "lasaft-key": 2_404_884,
    "lasaft-small": 2_468_554,
    "lasaft-large": 7_900_700,
    "lasaft-large-32": 7_795_484,
    "lasaft-light": 1_910_270,
    "lasaft-audio-released": 2_870_140,
    "lasaft-audio": 2_991_010,
    "lasaft-audio-key": 2_927_340,
}
OURS = {"lasaft-light-16": 1_575_835, "lasaft-light-16-audio": 2_097_067}


@pytest.mark.parametrize("preset", sorted(PUBLISHED))
def test_sizes_are_the_published_ones(preset):
    assert count(PRESETS[preset]) == PUBLISHED[preset]


def test_every_preset_has_its_size_in_a_test():
    assert set(PRESETS) == {"lasaft-debug", "lasaft-audio-debug", *PUBLISHED, *OURS}
    assert {preset: count(PRESETS[preset]) for preset in OURS} == OURS


@pytest.mark.parametrize(
    ("n_latent", "millions"),
    [
        (4, (1.435, 1.378, 1.372)),
        (8, (1.780, 1.722, 1.716)),
        (16, (2.469, 2.411, 2.405)),
        (32, (3.846, 3.789, 3.782)),
        (64, (6.601, 6.545, 6.538)),
    ],
)
def test_sizes_of_the_sweep_of_latent_sources(n_latent, millions):
    presets = ("lasaft-small", "lasaft-query", "lasaft-key")
    sizes = [count(replace(PRESETS[preset], n_latent=n_latent)) for preset in presets]
    assert [size / 1e6 for size in sizes] == pytest.approx(millions, abs=6e-4)


@pytest.mark.parametrize(("n_fft", "millions"), [(512, 0.879), (1024, 1.201), (2048, 2.469), (4096, 7.494)])
def test_sizes_of_the_sweep_of_transforms(n_fft, millions):
    config = replace(PRESETS["lasaft-small"], n_fft=n_fft, hop_length=n_fft // 2)
    assert count(config) / 1e6 == pytest.approx(millions, abs=6e-4)


def test_the_query_net_has_the_published_size():
    with torch.device("meta"):
        net = Lasaft(PRESETS["lasaft-audio"]).embedding
    assert sum(parameter.numel() for parameter in net.parameters()) == 522_584


def test_small_sizes():
    assert count(DEBUG) < 50_000
    assert count(AUDIO_DEBUG) < 50_000
    head = count(replace(PRESETS["lasaft-light"], presence=True)) - PUBLISHED["lasaft-light"]
    assert 0 < head < 1000


def test_the_window_is_the_published_one():
    for preset in PUBLISHED:
        assert round(PRESETS[preset].segment * 44100) == 130_048


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_config_survives_json(name):
    config = PRESETS[name]
    assert LasaftConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 3}, "versions 1 and 2"),
        ({"light": False}, "heavy"),
        ({"version": 1}, "neither listens"),
        ({"labels": ()}, "either labels"),
        ({"labels": ("a", "a")}, "each once"),
        ({"query_net": AUDIO_DEBUG.query_net}, "either labels"),
        ({"activation": "tanh"}, "relu, leaky_relu"),
        ({"n_blocks": 4}, "odd"),
        ({"n_frames": 30}, "multiples of 4"),
        ({"n_fft": 252}, "multiples of 4"),
        ({"hop_length": 200}, "half of n_fft"),
        ({"n_latent": 0}, "positive"),
    ],
)
def test_contradictions_in_a_config_are_refused(change, words):
    with pytest.raises(ModelError, match=words):
        replace(DEBUG, **change)


@pytest.mark.parametrize("values", [{}, {"labels": ["a"], "n_hats": 3}, {"labels": ["a"], "query_net": {}}])
def test_foreign_configs_are_refused(values):
    with pytest.raises(ModelError, match="not the config of a LaSAFT network"):
        LasaftConfig.from_dict(values)


@pytest.mark.parametrize("version", [1, 2])
def test_weights_are_drawn_as_published(version):
    config = PRESETS["lasaft-v1-small" if version == 1 else "lasaft-baseline"]
    torch.manual_seed(0)
    network = Lasaft(config).network
    conv, transposed = network.encoders[0].convolutions.convs[0].weight, network.ups[0][0].weight
    narrow, key = network.decoders[-1].transform.narrow.weight, network.decoders[-1].transform.attention.key
    expected = {
        1: [(2 / (2 * 24 * 9)) ** 0.5, (2 / (2 * 24 * 4)) ** 0.5, (2 / (1024 + 384)) ** 0.5, (2 / (32 + 6)) ** 0.5],
        2: [(2 / (24 * 9)) ** 0.5, (2 / (24 * 4)) ** 0.5, (2 / 1024) ** 0.5, (2 / (32 * 16)) ** 0.5],
    }[version]
    found = [float(weight.detach().std()) for weight in (conv, transposed, narrow, key)]
    assert found == pytest.approx(expected, rel=0.12)
    if version == 2:
        assert float(network.gates[0][2].length.detach().std()) == pytest.approx(2**0.5, rel=0.1)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_shape_and_length(variant, n_channels):
    model = make(VARIANTS[variant])
    for n_samples in (1, 129, 4100):
        with torch.inference_mode():
            stems, presence = model(noise(2, n_channels, n_samples), ask(model, "vocals other"))
        assert stems.shape == (2, 2, n_channels, n_samples)
        assert torch.isfinite(stems).all()
        assert presence is None


@pytest.mark.parametrize("level", [0.0, 1e-4, 1.0, 1e4])
def test_constant_input_gives_finite_output(model, level):
    with torch.inference_mode():
        assert torch.isfinite(model(torch.full((1, 2, 4000), level), ask(model, "vocals")).stems).all()


def test_silence_gives_silence_window_by_window(model):
    mixture = torch.stack([torch.zeros(2, 3000), noise(2, 3000)])
    with torch.inference_mode():
        stems = model(mixture, ask(model, "vocals drums")).stems
    assert not stems[0].any()
    assert stems[1].any()


def test_mixture_is_not_modified(model):
    mixture = noise(2, 2, 5000)
    before = mixture.clone()
    with torch.inference_mode():
        model(mixture, ask(model, "vocals drums"))
        model.attention(mixture[0], ask(model, "vocals"))
    assert torch.equal(mixture, before)


def test_channels_are_taken_in_pairs(model):
    mixture = noise(1, 5, 4000)
    condition = ask(model, "vocals drums")
    with torch.inference_mode():
        together = model(mixture, condition).stems
        pairs = [model(mixture[:, start : start + 2], condition).stems for start in (0, 2)]
        alone = model(mixture[:, 4:], condition).stems
        doubled = model(mixture[:, 4:].expand(-1, 2, -1), condition).stems
    torch.testing.assert_close(together, torch.cat([*pairs, alone], dim=2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(alone, doubled.mean(dim=2, keepdim=True), rtol=1e-4, atol=1e-4)


def test_zeros_at_the_end_complete_a_window(model):
    mixture = noise(1, 2, 31 * 128)
    short = mixture[..., :3000]
    padded = nn.functional.pad(short, (0, model.analyze(short).shape[2] * 128 - 128 - 3000))
    assert model.analyze(mixture).shape == (1, 4, 32, 129)
    assert model.analyze(short).shape == (1, 4, 28, 129)
    with torch.inference_mode():
        whole = model(padded, ask(model, "bass")).stems[..., :3000]
        torch.testing.assert_close(model(short, ask(model, "bass")).stems, whole, rtol=1e-4, atol=1e-4)


def test_order_of_channels_in_a_spectrogram(model):
    right = torch.zeros(1, 2, 31 * 128)
    right[:, 1] = torch.sin(torch.arange(31 * 128) * 2 * torch.pi * 20 / 256 + 0.3)
    spectrogram = model.analyze(right)
    assert not spectrogram[:, [0, 2]].any()
    frame = torch.stft(right[0, 1], 256, 128, window=torch.hann_window(256), return_complex=True)
    torch.testing.assert_close(spectrogram[0, 1], frame.real.T, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(spectrogram[0, 3], frame.imag.T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_samples", [31 * 128, 1000, 1])
def test_synthesis_undoes_analysis(model, n_samples):
    mixture = noise(2, 2, n_samples)
    torch.testing.assert_close(model.synthesize(model.analyze(mixture), n_samples), mixture, rtol=1e-4, atol=1e-4)


def test_training_and_separation_agree(model):
    mixture = noise(3, 2, 31 * 128)
    spectrogram = model.separate_windows(mixture, model.embed_labels(["vocals", "bass", "other"]))
    assert spectrogram.requires_grad
    trained = model.synthesize(spectrogram.detach(), 31 * 128)
    with torch.inference_mode():
        stems = model(mixture, ask(model, "vocals bass other")).stems
    assert (stems[range(3), range(3)] - trained).norm() < 1e-4 * trained.norm()


@pytest.mark.parametrize("variant", ["both", "query", "key", "none", "leaky"])
@pytest.mark.parametrize("n_stems", [1, 3])
def test_the_fast_form_gives_the_same(variant, n_stems):
    model = make(VARIANTS[variant])
    spectrogram, queries = noise(2, 4, 8, 129), noise(n_stems, 8)
    with torch.no_grad():
        fast = FastNetwork(model.network, torch.float32)(spectrogram, queries)
        plain = [model.estimate(spectrogram, query.expand(2, -1)) for query in queries]
        narrow = FastNetwork(model.network, torch.bfloat16)(spectrogram, queries)
    for one, other, rough in zip(fast, plain, narrow, strict=True):
        assert (one - other).norm() < 1e-4 * other.norm()
        assert (rough - other).norm() < 0.2 * other.norm()


def test_the_fast_form_copies_a_single_feature_before_it_works_in_place():
    model = make(replace(DEBUG, n_features=1))
    spectrogram, queries = noise(1, 4, 8, 129), noise(2, 8)
    with torch.no_grad():
        fast = FastNetwork(model.network, torch.float32)(spectrogram, queries)
        plain = [model.estimate(spectrogram, query[None]) for query in queries]
    for one, other in zip(fast, plain, strict=True):
        assert (one - other).norm() < 1e-4 * other.norm()


@pytest.mark.parametrize("variant", ["both", "query", "key", "none"])
def test_the_fast_form_attends_as_explained(variant):
    model = make(VARIANTS[variant])
    condition, mixture = ask(model, "vocals bass"), noise(2, 31 * 128)
    fast = FastNetwork(model.network, torch.float32)
    seen: dict[int, list[torch.Tensor]] = {index: [] for index in range(len(fast.decoders))}
    for index, (_, transform) in enumerate(fast.decoders):
        attend = transform.attention

        def remember(rows, queries, attend=attend, index=index):
            seen[index].append(attend(rows, queries)[0])
            return seen[index][-1][None]

        transform.attention = remember
    with torch.no_grad():
        fast(model.analyze(mixture[None]), condition.queries)
    for index, explained in enumerate(model.attention(mixture, condition)):
        found = torch.stack(seen[index]).expand_as(explained)
        torch.testing.assert_close(found, explained, rtol=1e-3, atol=1e-3)


def test_the_fast_form_follows_the_weights(model):
    changing = copy.deepcopy(model)
    mixture, condition = noise(1, 2, 4000), ask(model, "drums")
    with torch.inference_mode():
        before = changing(mixture, condition).stems
    with torch.no_grad():
        changing.network.decoders[0].transform.widen_norm.running_var.mul_(4)
    with torch.inference_mode():
        assert not torch.equal(changing(mixture, condition).stems, before)
    changing.load_state_dict(model.state_dict())
    with torch.inference_mode():
        assert torch.equal(changing(mixture, condition).stems, before)
        assert torch.equal(copy.deepcopy(changing)(mixture, condition).stems, before)


def test_the_fast_form_is_no_part_of_the_weights(model):
    names = list(model.state_dict())
    with torch.inference_mode():
        model(noise(1, 2, 4000), ask(model, "drums"))
    assert list(model.state_dict()) == names


def test_bfloat16_is_close(model):
    mixture, condition = noise(1, 2, 31 * 128), ask(model, "vocals drums")
    with torch.inference_mode():
        exact = model(mixture, condition).stems
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(mixture, condition).stems
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).norm() < 0.2 * exact.norm()


def test_a_condition_holds_for_the_whole_track(model):
    condition = ask(model, "vocals bass")
    assert condition.names == ("vocals", "bass")
    assert condition.groups == ()
    assert condition.crop(1.0, 2.0) is condition
    assert torch.equal(condition.queries, model.embed_labels(["vocals", "bass"]).detach())
    assert not condition.queries.requires_grad


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([Target("a", Label("flute"))], "unknown label 'flute': this model knows vocals drums bass other"),
        ([Target("a", [Label("bass"), Label("drums")])], "target 'a' has 2 guides"),
        ([Target("a", Prompts("bass"))], "takes labels, not Prompts"),
        ([Target("a", Examples((torch.ones(1, 4000), 44100)))], "takes labels, not Examples"),
        ([Target("a", Label("bass")), Target("b", Label("bass"))], "'bass' is asked for twice"),
    ],
)
def test_what_a_network_of_labels_refuses(model, targets, words):
    with pytest.raises(GuideError, match=words):
        model.condition(targets)


def test_nothing_asked_for_is_refused(model):
    with pytest.raises(GuideError, match="nothing is asked for"):
        model(torch.zeros(1, 2, 1000), model.condition([]))


def test_doors_of_the_other_kind_are_closed(model, listener):
    with pytest.raises(GuideError, match="takes labels, not examples"):
        model.embed(Examples((torch.ones(1, 4000), 44100)))
    with pytest.raises(GuideError, match="no query net"):
        model.embed_waveforms(torch.zeros(1, 2, 4000))
    with pytest.raises(GuideError, match="unknown label 'flute'"):
        model.embed_labels(["flute"])
    with pytest.raises(GuideError, match="no labels of its own"):
        listener.embed_labels(["vocals"])
    with pytest.raises(GuideError, match="unknown label 'vocals': this model knows no labels"):
        listener.condition([Target("a", Label("vocals"))])


@pytest.mark.parametrize("config", [DEBUG, AUDIO_DEBUG])
def test_taught_labels(config):
    model = make(config)
    query = noise(8)
    model.teach("riff", query)
    condition = model.condition([Target("lead", Label("riff"))])
    assert condition.names == ("lead",)
    assert torch.equal(condition.queries[0], query)
    with torch.inference_mode():
        assert model(noise(1, 2, 4000), condition).stems.shape == (1, 1, 2, 4000)


def recording(n_samples: int, *, n_channels: int = 2, rate: int = 44100, seed: int = 3) -> Audio:
    return Audio(0.1 * noise(n_channels, n_samples, seed=seed), rate)


def test_examples_make_a_query(listener):
    one, other = recording(3000), recording(20_000, n_channels=1, rate=22_050, seed=4)
    condition = listener.condition([Target("a", Examples(one)), Target("b", Examples([one, other]))])
    assert condition.queries.shape == (2, listener.query_size)
    assert not condition.queries.requires_grad
    alone = [listener.embed(Examples(each)) for each in (one, other)]
    torch.testing.assert_close(condition.queries[0], alone[0])
    torch.testing.assert_close(condition.queries[1], (alone[0] + alone[1]) / 2)
    assert not torch.allclose(alone[0], alone[1], rtol=1e-2)
    with torch.inference_mode():
        stems = listener(noise(1, 2, 4000), condition).stems
    assert not torch.allclose(stems[:, 0], stems[:, 1], rtol=1e-3)


def test_a_query_of_a_short_recording_is_that_of_its_waveform(listener):
    audio = recording(3000)
    torch.testing.assert_close(listener.embed(Examples(audio)), listener.embed_waveforms(audio.samples[None])[0])
    mono = Audio(audio.samples[:1], 44100)
    both = Audio(audio.samples[:1].expand(2, -1).contiguous(), 44100)
    torch.testing.assert_close(listener.embed(Examples(mono)), listener.embed(Examples(both)))


def test_long_recordings_are_cut_into_windows(listener):
    length = round(listener.segment * 44100)
    audio = recording(3 * length)
    windows = torch.stack(audio.samples.split(length, dim=1))
    expected = listener.embed_waveforms(windows).mean(dim=0)
    torch.testing.assert_close(listener.embed(Examples(audio)), expected, rtol=1e-4, atol=1e-5)
    silent_end = Audio(nn.functional.pad(audio.samples, (0, 2 * length)), 44100)
    torch.testing.assert_close(listener.embed(Examples(silent_end)), expected, rtol=1e-4, atol=1e-5)


def test_examples_that_are_refused(listener):
    with pytest.raises(GuideError, match=r"needs at least 0\.01 s"):
        listener.embed(Examples(recording(255)))
    assert listener.embed(Examples(recording(256))).isfinite().all()
    with pytest.raises(GuideError, match="no negative examples"):
        listener.embed(Examples(recording(3000), recording(3000)))


def test_gradients_reach_everything():
    for config in (DEBUG, AUDIO_DEBUG, VARIANTS["heavy"]):
        model = make(config).train()
        mixture = noise(4, 2, 31 * 128)
        names = ["vocals", "drums", "bass", "other"]
        queries = model.embed_labels(names) if config.labels else model.embed_waveforms(mixture)
        reference = model.analyze(0.5 * mixture)
        spectrogram_mse(estimate=model.separate_windows(mixture, queries), reference=reference).backward()
        without = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.isfinite().all()]
        assert without == []


def test_losses():
    estimate, reference = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 0.0])
    assert spectrogram_mse(estimate=estimate, reference=reference) == 4.5
    assert waveform_mae(estimate=estimate, reference=reference) == 1.5


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_attention(variant):
    model = make(VARIANTS[variant])
    condition = ask(model, "vocals drums")
    mixture = noise(2, 3000)
    with torch.inference_mode():
        before = model(mixture[None], condition).stems
        blocks = model.attention(mixture, condition)
        assert torch.equal(model(mixture[None], condition).stems, before)
    n_levels = model.config.n_levels
    assert [block.shape for block in blocks] == [(2, -(-24 // 2**i), 4) for i in reversed(range(n_levels))]
    listens = model.config.query_listening or model.config.key_listening
    for block in blocks:
        torch.testing.assert_close(block.sum(dim=-1), torch.ones(block.shape[:2]))
        assert bool((block - block[:, :1]).abs().max() > 1e-3) == listens
        assert not torch.allclose(block[0], block[1], rtol=1e-3)


def test_attention_is_that_of_the_separation(model):
    condition, mixture = ask(model, "bass"), noise(2, 31 * 128)
    seen = []
    block = model.network.decoders[-1].transform.attention
    handle = block.register_forward_hook(lambda _, __, weights: seen.append(weights))
    with torch.no_grad():
        model.estimate(model.analyze(mixture[None]), condition.queries)
    handle.remove()
    (found,) = model.attention(mixture, condition)[-1]
    torch.testing.assert_close(found, seen[0][0])


def test_attention_leaves_the_mode_as_it_was():
    model = make(DEBUG).train()
    model.attention(noise(1, 4000), model.condition([Target("a", Label("bass"))]))
    assert model.training
    assert not model.network.decoders[0].transform.attention._forward_hooks


def test_presence():
    model = make(replace(DEBUG, presence=True))
    mixture = torch.stack([noise(3, 4000), torch.zeros(3, 4000)])
    with torch.inference_mode():
        presence = model(mixture, ask(model, "vocals drums")).presence
    assert presence.shape == (2, 2)
    assert (presence[0] > 0).all()
    assert (presence[0] < 1).all()
    assert not presence[1].any()


def test_presence_is_learned_without_touching_the_network():
    model = make(replace(DEBUG, presence=True))
    spectrogram = model.analyze(noise(2, 2, 4000))
    queries = model.embed_labels(["vocals", "bass"])
    estimate = torch.stack([model.estimate(spectrogram, queries)[0], torch.zeros_like(spectrogram[0])])
    logits = model.presence(spectrogram, estimate, queries)
    assert logits.shape == (2,)
    logits.sum().backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if name.startswith("presence.")}


def test_presence_learns_whether_something_was_drawn():
    torch.manual_seed(0)
    head = Lasaft(replace(DEBUG, presence=True)).presence
    mixture, queries = noise(64, 4, 8, 129), noise(64, 8, seed=2)
    sounds = torch.arange(64) % 2
    estimate = mixture * torch.where(sounds > 0, 0.5, 0.002).view(-1, 1, 1, 1)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy_with_logits(head(mixture, estimate, queries), sounds.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert ((head(mixture, estimate, queries) > 0) == (sounds > 0)).all()


def test_normalized_networks_do_not_mind_the_level():
    config = replace(PRESETS["lasaft-debug"], normalize=True)
    torch.manual_seed(0)
    model = Lasaft(config).eval()
    condition = model.condition([Target("a", Label("vocals")), Target("b", Label("bass"))])
    mixture = torch.randn(2, 2, 4000, generator=torch.Generator().manual_seed(1))
    mixture[1] *= 0.01
    with torch.no_grad():
        fast = model(mixture, condition).stems
        quiet = model(mixture * 1e-3, condition).stems
        plain = torch.stack([model.estimate(model.analyze(mixture), row.expand(2, -1)) for row in condition.queries])
    torch.testing.assert_close(quiet * 1e3, fast, rtol=1e-3, atol=1e-3 * float(fast[1].abs().max()))
    for index, estimate in enumerate(plain):
        torch.testing.assert_close(model.synthesize(estimate, 4000), fast[:, index], rtol=1e-3, atol=1e-4)
    published = Lasaft(PRESETS["lasaft-debug"])
    published.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert not torch.allclose(published.eval()(mixture * 1e-3, condition).stems * 1e3, fast, rtol=1e-2)
