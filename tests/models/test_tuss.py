"""TUSS: sizes, prompts, channels, lengths, levels, precision."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace

import pytest
import torch

from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Label, Prompts, Target, spell_targets
from unbraid.models.tuss import DEBUG, PRESETS, Tuss, TussConfig
from unbraid.zoo import debug_model


@pytest.fixture(scope="module")
def model() -> Tuss:
    return debug_model()


def ask(model: Tuss, names: str):
    return model.condition(spell_targets(Prompts(names)))


def count(config: TussConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Tuss(config).parameters())


@pytest.mark.parametrize(
    ("preset", "published"),
    [
        ("tuss-medium", 11_132_352),
        ("tuss-large", 38_210_112),
        ("conventional-medium-2", 12_185_476),
        ("conventional-medium-3", 13_239_176),
        ("conventional-medium-4", 14_292_876),
        ("conventional-large-4", 42_549_440),
    ],
)
def test_sizes_are_the_published_ones(preset, published):
    assert count(PRESETS[preset]) == published


@pytest.mark.parametrize("n_prompts", [1, 2, 3, 4])
def test_specialists_have_the_published_sizes(n_prompts):
    config = replace(PRESETS["tuss-medium"], prompts=PRESETS["tuss-medium"].prompts[:n_prompts])
    assert count(config) == 11_131_840 + 64 * n_prompts


def test_small_sizes():
    assert count(PRESETS["tuss-small"]) <= 3_000_000
    assert count(PRESETS["tuss-debug"]) < 50_000


def test_debug_is_fast(model):
    began = time.process_time()
    with torch.inference_mode():
        model(torch.randn(1, 1, 44100), ask(model, "vocals drums"))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("mode", ["each", "mid"])
@pytest.mark.parametrize("n_samples", [1, 2, 255, 256, 257, 9999])
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_shape_and_length(mode, n_samples, n_channels):
    model = Tuss(replace(DEBUG, channel_mode=mode)).eval()
    with torch.inference_mode():
        stems, presence = model(torch.randn(2, n_channels, n_samples), ask(model, "speech speech sfx"))
    assert stems.shape == (2, 3, n_channels, n_samples)
    assert torch.isfinite(stems).all()
    assert presence.shape == (2, 3)
    assert ((presence >= 0) & (presence <= 1)).all()


def test_mixture_is_not_modified(model):
    mixture = torch.randn(1, 2, 5000)
    before = mixture.clone()
    model.separate_windows(mixture[0], [["vocals"], ["drums"]])
    with torch.inference_mode():
        model(mixture, ask(model, "vocals"))
    assert torch.equal(mixture, before)


@pytest.mark.parametrize("mode", ["each", "mid"])
def test_level_of_the_mixture_is_the_level_of_the_stems(mode):
    model = Tuss(replace(DEBUG, channel_mode=mode)).eval()
    mixture = torch.randn(1, 2, 8000)
    condition = ask(model, "vocals drums")
    with torch.inference_mode():
        loud, quiet = model(mixture, condition).stems, model(1e-3 * mixture, condition).stems
    torch.testing.assert_close(quiet, 1e-3 * loud, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("mode", ["each", "mid"])
def test_silence_gives_silence(mode):
    model = Tuss(replace(DEBUG, channel_mode=mode)).eval()
    with torch.inference_mode():
        assert not model(torch.zeros(1, 2, 3000), ask(model, "vocals drums")).stems.any()


def test_modes_agree_on_equal_channels():
    mixture = torch.randn(1, 1, 8000).expand(-1, 2, -1)
    each, mid = debug_model(), debug_model()
    each.config, mid.config = (replace(DEBUG, channel_mode=mode) for mode in ("each", "mid"))
    with torch.inference_mode():
        one, other = each(mixture, ask(each, "vocals drums")), mid(mixture, ask(mid, "vocals drums"))
    torch.testing.assert_close(one.stems, other.stems, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.presence, other.presence)


def test_channels_that_cancel_in_the_middle_are_separated_all_the_same():
    model = Tuss(replace(DEBUG, channel_mode="mid")).eval()
    left = torch.randn(1, 1, 8000)
    with torch.inference_mode():
        cancel = model(torch.cat([left, -left], dim=1), ask(model, "vocals")).stems
        alone = model(left, ask(model, "vocals")).stems
    torch.testing.assert_close(cancel[:, :, :1], alone, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(cancel[:, :, 1:], -alone, rtol=1e-3, atol=1e-4)


def test_order_of_prompts_is_the_order_of_outputs_for_any_subset(model):
    condition = ask(model, "drums speech drums")
    assert condition.names == ("drums-1", "speech", "drums-2")
    assert condition.groups == ((0, 2),)
    assert condition.crop(1.0, 2.0) is condition


def test_prompts_of_different_tracks_do_not_mix(model):
    mixture = torch.randn(2, 6000)
    prompts = [["vocals", "drums"], ["speech", "sfx"]]
    with torch.no_grad():
        both, _ = model.separate_windows(mixture, prompts)
        alone = [model.separate_windows(mixture[i : i + 1], prompts[i : i + 1])[0] for i in range(2)]
    torch.testing.assert_close(both, torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "names", ["sfx sfx-mix", "music-mix drums", "vocals music-mix", "music-mix music-mix", "sfx-mix sfx-mix"]
)
def test_contradictions_are_explained(model, names):
    with pytest.raises(GuideError, match=r"contradict|ask for it once"):
        ask(model, names)


def test_unknown_prompt_names_the_known_ones(model):
    with pytest.raises(GuideError, match=r"unknown prompt 'piano'.*speech sfx sfx-mix"):
        ask(model, "piano")


def test_target_with_two_prompts_is_refused(model):
    with pytest.raises(GuideError, match="2 prompts"):
        model.condition([Target("both", [Label("vocals"), Label("drums")])])


def test_target_names_its_output(model):
    assert model.condition([Target("lead", Label("vocals"))]).names == ("lead",)


def test_conventional_outputs_are_asked_for_by_name():
    config = replace(DEBUG, prompts=(), outputs=("bass", "drums"), presence=False)
    model = Tuss(config).eval()
    with torch.inference_mode():
        stems, presence = model(torch.randn(1, 2, 5000), ask(model, "drums"))
        both = model(torch.zeros(1, 2, 5000), ask(model, "bass drums")).stems
    assert stems.shape == (1, 1, 2, 5000)
    assert both.shape == (1, 2, 2, 5000)
    assert presence is None
    with pytest.raises(GuideError):
        ask(model, "drums drums")


def test_config_survives_json():
    for config in PRESETS.values():
        assert TussConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    "change",
    [{"bands": (1, 2)}, {"channel_mode": "stereo"}, {"outputs": ("bass",)}, {"prompts": ()}],
)
def test_senseless_config_is_refused(change):
    with pytest.raises(ModelError):
        replace(DEBUG, **change)


def test_foreign_config_is_refused():
    with pytest.raises(ModelError, match="not the config"):
        TussConfig.from_dict({"n_fft": 3})


def test_positions_rounded_to_bfloat16():
    model = Tuss(DEBUG)
    rounded = Tuss(replace(DEBUG, round_positions=True))
    exact_angles = model.cross.rope_time(568)
    angles = rounded.cross.rope_time(568)
    shifted = (exact_angles[1] != angles[1]).any(dim=1)
    assert int(shifted.sum()) == 170  # of 568 positions; see the published training
    assert len(torch.unique(angles[1][:, 0])) >= 398
    assert not shifted[:256].any()


def test_rounded_positions_change_long_windows_only():
    model, rounded = debug_model(), debug_model()
    for rope in (rounded.cross.rope_time, rounded.extraction.rope_time):
        rope.round_positions = True
    short, long = torch.randn(1, 20_000), torch.randn(1, 100_000)
    with torch.no_grad():
        assert torch.equal(model.separate_windows(short, [["bass"]])[0], rounded.separate_windows(short, [["bass"]])[0])
        assert not torch.equal(
            model.separate_windows(long, [["bass"]])[0], rounded.separate_windows(long, [["bass"]])[0]
        )


def test_gradients_reach_every_parameter_that_is_asked_for():
    model = debug_model().train()
    estimates, presence = model.separate_windows(torch.randn(1, 8000), [list(model.vocabulary)])
    (estimates.square().mean() + presence.square().mean()).backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert missing == []


def test_inference_and_training_give_the_same():
    model = debug_model()
    mixture = torch.randn(1, 30_000)
    trained, _ = model.separate_windows(mixture, [["vocals", "bass"]])
    with torch.inference_mode():
        stems = model(mixture[:, None], ask(model, "vocals bass")).stems[:, :, 0]
    torch.testing.assert_close(stems, trained.detach(), rtol=1e-4, atol=1e-5)
