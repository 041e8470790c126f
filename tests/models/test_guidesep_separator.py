"""GuideSep as a separator: stems like the mixture, windows that agree, draws that repeat."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError, SettingsError
from unbraid.guides.kinds import Examples, Label, Mask, Mimicry, Score, Target
from unbraid.guides.mask_grid import frames_of
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.models.guidesep_network import GuidesepConfig
from unbraid.models.guidesep_pointers import track_noise
from unbraid.models.separator import Sampling
from unbraid.separation import Settings, separate

RATE = 44100


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.no_grad():
        yield


def make(preset: str = "guidesep-debug") -> Guidesep:
    torch.manual_seed(0)
    model = Guidesep(PRESETS[preset]).eval()
    torch.nn.init.normal_(model.network.last.weight, std=0.1)
    return model


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hum(seconds: float = 0.5, *, offset: float = 0.0, level: float = 0.3) -> Mimicry:
    time = torch.arange(round(seconds * 16000)) / 16000
    return Mimicry(Audio(level * torch.sin(2 * torch.pi * 440 * time)[None], 16000), offset=offset)


def mask(duration: float, *, low: int = 0, high: int = 80, value: float = 1.0) -> torch.Tensor:
    side = torch.zeros(80, frames_of(duration))
    side[low:high] = value
    return side


def point(*targets: Target, model: Guidesep, sampling: Sampling | None = None):
    condition = model.condition(targets)
    return condition if sampling is None else model.sample_with(condition, sampling)


@pytest.mark.parametrize("preset", ["guidesep-debug", "guidesep-mask-debug"])
@pytest.mark.parametrize(("n_channels", "n_samples"), [(1, 1), (2, 2000), (3, 22501)])
def test_stems_have_the_shape_of_the_mixture(preset, n_channels, n_samples):
    model = make(preset)
    mixture = noise(2, n_channels, n_samples)
    condition = point(Target("a", hum()), Target("b", [hum(), Mask(mask(0.6))]), model=model)
    stems, presence = model(mixture, condition.join([condition.crop(0.1, 0.6)]))
    assert stems.shape == (2, 2, n_channels, n_samples)
    assert presence.shape == (2, 2)
    assert bool(((presence >= 0) & (presence <= 1)).all())


def test_silence_is_answered_with_silence():
    model = make()
    stems, presence = model(torch.zeros(1, 2, 20000), point(Target("a", hum()), model=model))
    assert not stems.any()
    assert not presence.any()


@pytest.mark.parametrize("gain", [0.01, 30.0])
def test_the_level_of_the_mixture_is_that_of_the_stem(gain):
    model = make()
    condition = point(Target("a", hum()), model=model)
    mixture = noise(1, 2, 20000)
    quiet, loud = (model(one, condition).stems for one in (mixture, gain * mixture))
    torch.testing.assert_close(loud, gain * quiet, rtol=1e-2, atol=gain * 1e-4)


def test_the_same_seed_gives_the_same_stem_and_another_one_does_not():
    model = make()
    mixture, target = noise(1, 1, 20000), Target("a", hum())

    def draw(seed):
        return model(mixture, point(target, model=model, sampling=Sampling(seed=seed))).stems

    assert torch.equal(draw(3), draw(3))
    assert not torch.allclose(draw(3), draw(4), atol=1e-6)


def test_windows_are_drawn_from_one_noise():
    whole = track_noise(7, 0, 5, 0, 300)
    assert whole.shape == (2, 5, 300)
    for start, stop in ((0, 1), (63, 66), (120, 300)):
        assert torch.equal(track_noise(7, 0, 5, start, stop - start), whole[..., start:stop])
    assert not torch.equal(track_noise(7, 1, 5, 0, 300), whole)
    assert abs(float(whole.std()) - 1) < 0.05
    shifted = torch.corrcoef(torch.stack([whole[..., :200].flatten(), whole[..., 64:264].flatten()]))
    assert abs(float(shifted[0, 1])) < 0.1


def test_the_best_candidate_is_taken_and_its_score_told():
    model = make()
    mixture, target = noise(1, 1, 20000), Target("a", hum())

    def ask(seed, candidates):
        return model(mixture, point(target, model=model, sampling=Sampling(seed, candidates=candidates)))

    pairs = [(ask(seed, 1), ask(seed, 3)) for seed in range(4)]
    assert all(float(best.presence) >= float(first.presence) - 1e-3 for first, best in pairs)
    assert any(float(best.presence) > float(first.presence) + 1e-3 for first, best in pairs)


def test_more_steps_are_other_answers():
    model = make()
    mixture, target = noise(1, 1, 20000), Target("a", hum())
    few, many = (model(mixture, point(target, model=model, sampling=Sampling(steps=steps))).stems for steps in (1, 7))
    default = model(mixture, point(target, model=model)).stems
    assert torch.equal(default, many)
    assert not torch.allclose(few, many, atol=1e-6)


def test_a_stem_rests_where_its_mimicry_is_far():
    model = make()
    settings = Settings(batch_size=3)
    result = separate(
        noise(2, 4 * RATE), Target("a", hum(offset=1.5)), model=model, sample_rate=RATE, settings=settings
    )
    loud = result.stems["a"].samples.abs().amax(dim=0)
    assert float(loud[: round(0.9 * RATE)].max()) < 1e-6 < float(loud[round(1.6 * RATE) : round(1.9 * RATE)].max())
    assert float(loud[round(2.7 * RATE) :].max()) < 1e-6


def test_a_mask_points_everywhere():
    model = make()
    target = Target("a", [hum(offset=1.5), Mask(mask(3.0))])
    result = separate(noise(1, 3 * RATE), target, model=model, sample_rate=RATE)
    assert float(result.stems["a"].samples[:, : round(0.9 * RATE)].abs().max()) > 1e-5


def test_windows_of_one_batch_are_those_of_many():
    model = make()
    mixture = noise(2, 2 * RATE)
    target = Target("a", [hum(2.0), Mask(mask(2.0, high=40), mask(2.0, low=50))])

    def run(batch_size):
        return separate(mixture, target, model=model, sample_rate=RATE, settings=Settings(batch_size=batch_size))

    one, many = run(1), run(4)
    torch.testing.assert_close(one.stems["a"].samples, many.stems["a"].samples, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(one.residual.samples, mixture - one.stems["a"].samples)


def test_windows_begin_with_the_frames_of_the_noise():
    model = make("guidesep-debug")
    assert model.step == 441
    assert PRESETS["guidesep"].step == 3528
    starts = []
    hook = model.register_forward_pre_hook(lambda _, arguments: starts.extend(arguments[1].starts))
    separate(noise(1, 2 * RATE), Target("a", hum()), model=model, sample_rate=RATE)
    hook.remove()
    frames = [start * 16000 / 32 for start in starts[:-1]]
    assert len(frames) > 3
    assert all(abs(frame - round(frame)) < 1e-6 for frame in frames)


@pytest.mark.parametrize(
    ("guides", "problem"),
    [
        ([hum(), hum()], "2 mimicries"),
        ([Mask(mask(1.0)), Mask(mask(1.0))], "2 masks"),
        ([Label("bass")], "takes a mimicry"),
        ([hum(), Examples((torch.ones(100), 8000))], "takes a mimicry"),
        ([Mask("painted.png")], "not been read"),
        ([Mask(torch.ones(7, 30))], "80 bands"),
        ([Mimicry("hum.wav")], "not been read"),
        ([hum(offset=None)], "not been found"),
    ],
)
def test_guides_that_it_cannot_use_are_refused(guides, problem):
    with pytest.raises(GuideError, match=problem):
        make().condition([Target("a", guides)])


def test_it_takes_what_points_on_the_clock():
    model = make()
    assert model.accepts == {Mimicry, Score, Mask}
    assert model.vocabulary == ()


def test_a_network_that_predicts_masks_draws_nothing():
    model = make("guidesep-mask-debug")
    condition = model.condition([Target("a", hum())])
    assert model.sample_with(condition, Sampling(seed=3)).sampling.seed == 3
    for sampling in (Sampling(steps=3), Sampling(candidates=2)):
        with pytest.raises(SettingsError, match="draws nothing"):
            model.sample_with(condition, sampling)


MELODY, MASK = (0.0, 0.0, 0.0, 0.0, 2.0), (0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("guides", "logit"),
    [([hum(0.6)], 2.0), ([Mask(mask(0.6, low=40))], -1.0), ([hum(0.6), Mask(mask(0.6, low=40))], 0.5)],
)
@pytest.mark.parametrize("preset", ["guidesep-debug", "guidesep-mask-debug"])
def test_fitted_presence_depends_on_the_guides(preset, guides, logit):
    model = Guidesep(replace(PRESETS[preset], presence=(MELODY, MASK))).eval()
    presence = model(noise(1, 1, 20000), point(Target("a", guides), model=model)).presence
    torch.testing.assert_close(presence[0, 0], torch.tensor(logit).sigmoid())


def test_a_negative_mask_says_nothing_of_what_sounds():
    target = Target("a", [Mask(negative=mask(0.6))])
    plain, fitted = make(), make()
    fitted.config = replace(fitted.config, presence=(MELODY, MASK))
    answers = [model(noise(1, 1, 20000), point(target, model=model)).presence for model in (plain, fitted)]
    assert torch.equal(*answers)
    assert 0 < float(answers[0]) < 1


def test_the_config_survives_a_file():
    config = replace(PRESETS["guidesep-small"], presence=(MELODY, MASK), n_evaluations=3)
    assert GuidesepConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config


def test_weights_for_what_presence_was_judged_by_before_do_not_count():
    values = asdict(PRESETS["guidesep-small"]) | {"presence": [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]}
    assert GuidesepConfig.from_dict(json.loads(json.dumps(values))) == PRESETS["guidesep-small"]
