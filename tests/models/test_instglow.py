"""The separator of InstGlow: windows in, stems out; labels, silence, full band, priors put together."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.audio.stft import Stft
from unbraid.errors import Cancelled, GuideError, ModelError
from unbraid.guides.kinds import Label, Mask, Target
from unbraid.models.instglow import (
    PRESETS,
    Instglow,
    InstglowConfig,
    Memory,
    combine,
    preset,
    rivals,
    share,
    widen,
    with_phase,
)
from unbraid.models.instglow_network import PRIORS
from unbraid.models.instglow_search import SEARCHES, SearchConfig
from unbraid.separation import Settings, separate

QUICK = SearchConfig(learning_rate=0.1, n_iterations=25)


def targets(*names: str) -> list[Target]:
    return [Target(f"my {name}", (Label(name),)) for name in names]


def tone(pitch: float, n_samples: int = 3000) -> Tensor:
    return 0.3 * torch.sin(2 * math.pi * pitch / 44100 * torch.arange(n_samples))


@pytest.fixture(scope="module")
def model() -> Instglow:
    """Priors of sounds below and above 5.5 kHz, 17 bins of 345 Hz each."""
    torch.manual_seed(0)
    shape = replace(PRIORS["debug"], n_blocks=1)
    made = Instglow(InstglowConfig(names=("low", "high"), priors=(shape, shape), search=QUICK, segment=0.2)).eval()
    for name, prior in made.by_name.items():
        loud = torch.zeros(34)
        loud[slice(0, 17) if name == "low" else slice(17, 33)] = 1
        block = prior.blocks[0]
        torch.nn.init.eye_(block.mix.weight)
        with torch.no_grad():
            block.norm.log_scale.copy_((6 * (1 - loud)).repeat(2)[None, :, None])
            block.norm.bias.copy_(-loud.repeat(2)[None, :, None])
    return made


@pytest.mark.parametrize("n_samples", [3000, 2999, 200, 1])
def test_sounds_go_where_their_priors_are(model, n_samples):
    low, high = tone(1000, n_samples), tone(8000, n_samples)
    references = torch.stack([torch.stack([low, 0.5 * low]), torch.stack([-0.2 * high, high])])[None]  # [B, S, C, N]
    mixture = references.sum(dim=1)
    given = mixture.clone()
    with torch.inference_mode():
        stems, presence = model(mixture, model.condition(targets("low", "high")))
    assert presence is None
    assert torch.equal(mixture, given)
    assert stems.shape == references.shape
    assert float((stems.sum(dim=1) - mixture).norm()) <= 0.03 * float(mixture.norm())
    if n_samples > 1000:
        error = (stems - references).square().sum(dim=(-1, -2)) / references.square().sum(dim=(-1, -2))
        assert bool((error < 0.05).all()), error


def test_whole_songs_at_their_own_rate(model):
    time = torch.arange(30000) / 48000
    low, high = (0.3 * torch.sin(2 * math.pi * pitch * time) for pitch in (1000, 8000))
    song = Audio(torch.stack([low + high, 0.5 * low + high]), 48000)
    separation = separate(song, targets("high"), model=model)
    stem = separation.stems["my high"].samples
    assert stem.shape == song.samples.shape
    assert float((stem - high).square().sum() / (2 * high.square().sum())) < 0.05
    torch.testing.assert_close(stem + separation.residual.samples, song.samples)


def test_only_what_is_asked_for_is_answered(model):
    mixture = torch.stack([tone(1000), tone(8000)])[None]
    both, _ = model(mixture, model.condition(targets("low", "high")))
    condition = model.condition(targets("high"))
    assert condition.names == ("my high",)
    assert condition.crop(0.1, 0.2).indices == condition.indices
    one, _ = model(mixture, condition)
    assert torch.equal(one[:, 0], both[:, 1])


def test_silence_is_answered_with_silence(model):
    stems, _ = model(torch.zeros(2, 1, 1000), model.condition(targets("low", "high")))
    assert stems.shape == (2, 2, 1, 1000)
    assert not stems.any()


def test_a_residual_may_stay(model):
    mixture = tone(1000)[None, None] + tone(8000)
    wanting = Instglow(replace(model.config, residual=True, search=replace(QUICK, n_iterations=1))).eval()
    wanting.load_state_dict(model.state_dict())
    stems, _ = wanting(0.3 * mixture, wanting.condition(targets("low", "high")))
    loud, _ = wanting(100 * mixture, wanting.condition(targets("low", "high")))
    assert float(loud.norm() / (100 * mixture).norm()) < 0.2  # far louder than what the priors expect
    assert float(stems.norm() / (0.3 * mixture).norm()) > 0.4


def with_config(model: Instglow, **changes: object) -> Instglow:
    """Return a copy with another config."""
    made = Instglow(replace(model.config, **changes)).eval()
    made.load_state_dict(model.state_dict())
    return made


def test_what_priors_leave_can_be_asked_for(model):
    wanting = with_config(model, residual=True, search=replace(QUICK, n_iterations=1))
    assert wanting.vocabulary == ("low", "high", "residual")
    mixture = 100 * (tone(1000)[None, None] + tone(8000))
    stems = wanting(mixture, wanting.condition(targets("residual", "low", "high"))).stems
    assert float((stems.sum(dim=1) - mixture).norm() / mixture.norm()) < 1e-3
    assert float((stems[:, 0] - mixture).norm() / mixture.norm()) < 0.2
    with pytest.raises(GuideError, match="unknown label 'residual': this model has priors of low high"):
        model.condition(targets("residual"))


def test_one_prior_alone_leaves_the_rest(model):
    alone = Instglow(InstglowConfig(names=("low",), priors=model.config.priors[:1], search=QUICK, segment=0.2)).eval()
    alone.priors[0].load_state_dict(model.priors[0].state_dict())
    low, high = tone(1000), tone(8000)
    separation = separate((low + high)[None], targets("low"), model=alone, sample_rate=44100)
    for stem, sound in ((separation.stems["my low"], low), (separation.residual, high)):
        assert float((stem.samples - sound).square().sum() / sound.square().sum()) < 0.1


def test_windows_begin_with_what_was_found_before(model):
    song = torch.stack([tone(1000, 12000) + tone(8000, 12000)])
    seen: list[list[float]] = []

    def watch(progress):
        if progress.iteration == 0:
            seen.append([])
        seen[-1].append(progress.objective)

    watched = with_config(model, search=replace(QUICK, n_iterations=40))
    watched.watch = watch
    settings = Settings(overlap=0.5, batch_size=2)
    separation = separate(song, targets("low"), model=watched, sample_rate=44100, settings=settings)
    assert len(seen) == 2
    assert len(seen[1]) == 40
    assert seen[1][0] < 0.7 * seen[0][0]  # half of the window is known
    assert seen[1][-1] < 0.1 * seen[0][0]
    error = separation.stems["my low"].samples - tone(1000, 12000)
    assert float(error.square().sum() / tone(1000, 12000).square().sum()) < 0.05
    seen.clear()
    condition = watched.condition(targets("low"))
    for _ in range(2):  # windows of which nothing is known
        watched(song[None, :, :8000], condition)
    assert seen[0] == seen[1]


def test_memory_is_of_the_window_before_alone():
    memory, fresh = Memory(), torch.zeros(1, 1, 1, 4)
    assert memory.recall(1.0, fresh, 1.0) is fresh
    memory.keep(10.0, torch.arange(1.0, 5.0).view(1, 1, 1, 4))
    assert memory.recall(12.4, fresh, 1.0).flatten().tolist() == [3, 4, 0, 0]
    for start in (10.0, 0.0, 14.0):  # the same place again, another track, and no overlap
        assert memory.recall(start, fresh, 1.0) is fresh
    assert memory.recall(11.0, fresh[..., :2], 1.0).flatten().tolist() == [2, 3]
    assert memory.recall(11.0, torch.zeros(1, 2, 1, 4), 1.0).shape == (1, 2, 1, 4)


def test_a_watcher_can_stop_it(model):
    def stop(progress):
        assert progress.n_iterations == QUICK.n_iterations
        raise Cancelled("enough")

    watched = with_config(model)
    watched.watch = stop
    with pytest.raises(Cancelled):
        separate(tone(1000)[None], targets("low"), model=watched, sample_rate=44100)


def test_windows_tell_how_far_they_are_and_can_be_left(model):
    song, told = tone(1000, 24000)[None], []
    separate(song, targets("low"), model=model, sample_rate=44100, progress=told.append)
    assert told == sorted(set(told))
    assert told[0] < 0.02
    assert told[-1] == 1
    assert len(told) > 2.5 * QUICK.n_iterations  # of three windows
    n_asked = 0

    def cancel():
        nonlocal n_asked
        n_asked += 1
        return n_asked == 10

    separated = []
    watched = with_config(model)
    watched.watch = separated.append
    with pytest.raises(Cancelled):
        separate(song, targets("low"), model=watched, sample_rate=44100, cancel=cancel)
    assert 0 < len(separated) < 10


def test_a_search_that_diverges_ends_the_separation(model):
    spoiled = with_config(model)
    with torch.no_grad():
        spoiled.by_name["high"].blocks[0].norm.log_scale.fill_(-1000.0)
    with pytest.raises(ModelError, match="diverged at the source high"):
        separate(tone(1000)[None], targets("low"), model=spoiled, sample_rate=44100)


def test_sources_may_share_as_their_powers_do():
    torch.manual_seed(0)
    mixture = torch.randn(1, 1, 3000)
    shape = replace(PRIORS["debug"], n_blocks=1)
    plain = Instglow(InstglowConfig(names=("a", "b"), priors=(shape, shape))).eval()
    answers = []
    for exponent in (1.0, 3.0):
        one = with_config(plain, search=SearchConfig(spread=1.0, n_iterations=1, exponent=exponent))
        answers.append(one(mixture, one.condition(targets("a", "b"))).stems)
    soft, steep = (one.square().sum(dim=(1, 2)) for one in answers)
    assert float(steep.mean()) > 1.01 * float(soft.mean())  # what is added to the same is more one or the other's


def test_what_is_expected_draws_shares(model):
    magnitude = torch.rand(1, 33, 8) + 0.1
    shares = []
    for anchor in (0.0, 0.5, 1.0):
        one = with_config(model, search=replace(QUICK, anchor=anchor))
        found = one.search(magnitude)
        assert (found.expected is None) == (anchor == 0)
        shares.append(one.share(found, magnitude))
    expected = one.search(magnitude, start=torch.zeros(1, 2, 34, 8)).expected
    torch.testing.assert_close(shares[2], share(expected[:, :, :33].clamp_min(1e-7)))
    assert 0 < float((shares[1] - shares[2]).norm()) < float((shares[0] - shares[2]).norm())


def test_answers_are_the_same_every_time(model):
    drawing = Instglow(replace(model.config, search=replace(QUICK, spread=1.0, n_iterations=2))).eval()
    drawing.load_state_dict(model.state_dict())
    mixture, condition = tone(1000)[None, None], drawing.condition(targets("low"))
    assert torch.equal(drawing(mixture, condition).stems, drawing(mixture, condition).stems)


def test_magnitudes_are_those_of_half_the_rate():
    """The priors hear, out of a transform at 44.1 kHz, what they were trained on at 22.05 kHz."""
    wide = torch.randn(1, 40000, generator=torch.Generator().manual_seed(0))
    narrow = resample(wide, source_rate=44100, target_rate=22050)
    model = Instglow(preset(("one",), "published"))
    heard = model.stft(wide).abs()[:, :513] / 2
    expected = Stft(1024, 256, window="hann", reflect=True)(narrow).abs()
    inner = slice(4, 70)
    difference = (heard - expected)[:, :440, inner]
    assert float(difference.norm() / expected[:, :440, inner].norm()) < 0.01


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (targets("low", "tuba"), "unknown label 'tuba': this model has priors of low high"),
        (targets("low", "low"), "asked for twice"),
        ([Target("x", (Label("low"), Label("high")))], "one label for each target"),
        ([Target("x", (Mask(torch.ones(1, 1), torch.zeros(1, 1)),))], "one label for each target"),
    ],
)
def test_other_requests_are_refused(model, asked, words):
    with pytest.raises(GuideError, match=words):
        model.condition(asked)


def test_priors_are_put_together(model):
    single = [
        Instglow(InstglowConfig(names=(name,), priors=(model.config.priors[0],), search=QUICK)).eval()
        for name in model.vocabulary
    ]
    for one, prior in zip(single, model.priors, strict=True):
        one.priors[0].load_state_dict(prior.state_dict())
    joined = combine(single)
    assert joined.vocabulary == model.vocabulary
    assert not joined.training
    mixture = tone(1000)[None, None] + tone(8000)
    condition = model.condition(targets("low"))
    assert torch.equal(joined(mixture, condition).stems, model(mixture, condition).stems)
    assert combine(single, search_config=SEARCHES["map"]).config.search == SEARCHES["map"]
    assert combine(single, residual=True).vocabulary == (*model.vocabulary, "residual")
    assert combine([combine(single, residual=True)], residual=False).vocabulary == model.vocabulary
    with pytest.raises(ModelError, match="different names"):
        combine([single[0], single[0]])
    with pytest.raises(ModelError, match="at least one prior"):
        combine([])
    other = Instglow(preset(("other",), "published"))
    with pytest.raises(ModelError, match="'low' and 'other' hear different spectrograms"):
        combine([single[0], other])


@pytest.mark.parametrize("name", PRESETS)
def test_configs_come_back_from_json(name):
    assert InstglowConfig.from_dict(json.loads(json.dumps(asdict(PRESETS[name])))) == PRESETS[name]


@pytest.mark.parametrize("values", [{}, {"names": ["a"], "priors": [{}], "search": {"space": "time"}}])
def test_other_configs_are_refused(values):
    with pytest.raises(ModelError, match="not the config of InstGlow"):
        InstglowConfig.from_dict(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"names": ()}, "different names"),
        ({"names": ("a", "a")}, "different names"),
        ({"names": ("a",)}, "2 priors need"),
        ({"segment": 0.0}, "segment must be positive"),
        ({"names": ("a", "residual")}, "no prior can be called 'residual'"),
    ],
)
def test_impossible_configs_are_refused(values, words):
    with pytest.raises(ModelError, match=words):
        InstglowConfig(**{"names": ("a", "b"), "priors": 2 * (PRIORS["debug"],), **values})


def test_shares():
    sources = torch.tensor([[3.0, 1.0, 0.0], [1.0, -1.0, 0.0]])[None, :, :, None]  # [B, S, F, T]
    expected = torch.tensor([[0.75, 1.0, 0.0], [0.25, 0.0, 0.0]])[None, :, :, None]
    torch.testing.assert_close(share(sources), expected)
    mixture = torch.tensor([8.0, 0.5, 1.0])[None, :, None]
    expected = torch.tensor([[0.375, 1.0, 0.0], [0.125, 0.0, 0.0]])[None, :, :, None]
    torch.testing.assert_close(share(sources, mixture=mixture), expected)
    assert torch.equal(widen(expected, 3), expected)
    powers = torch.tensor([[0.9, 1.0, 0.0], [0.1, 0.0, 0.0]])[None, :, :, None]
    torch.testing.assert_close(share(sources, exponent=2.0), powers)


def test_phases_are_those_of_the_mixture():
    spectrogram = torch.tensor([[1j, 2.0, 0.0]])[..., None]
    sources = torch.tensor([[3.0, -1.0, 5.0, 9.0]])[None, ..., None]
    answered = with_phase(sources, spectrogram)
    assert answered.flatten().tolist() == [3j, 0, 0]
    assert with_phase(sources, spectrogram, clamp=False).flatten().tolist() == [3j, -1, 0]


def test_a_wide_prior_and_the_narrow_ones_within_it_never_claim_one_sound() -> None:
    names = ("vocals", "drums", "other", "guitar", "piano", "kazoo")
    assert rivals(names, ["vocals"]) == ("vocals", "drums", "other", "kazoo")
    assert rivals(names, ["other", "kazoo"]) == ("vocals", "drums", "other", "kazoo")
    assert rivals(names, ["guitar"]) == ("vocals", "drums", "guitar", "piano", "kazoo")
    assert rivals(names, ["other", "piano"]) == ("vocals", "drums", "other", "piano", "kazoo")
    assert rivals(("guitar", "piano"), ["guitar"]) == ("guitar", "piano")


def test_only_priors_that_take_part_are_searched_with() -> None:
    config = InstglowConfig(names=("guitar", "vocals", "other"), priors=3 * (PRIORS["debug"],))
    torch.manual_seed(0)
    model = Instglow(config).eval()
    pair = combine(
        [Instglow(replace(config, names=(name,), priors=(PRIORS["debug"],))) for name in ("vocals", "other")]
    )
    for mine, theirs in zip(list(model.priors)[1:], pair.priors, strict=True):
        theirs.load_state_dict(mine.state_dict())
    mixture = torch.rand(1, 1, 2000) - 0.5
    asked = [Target("vocals", (Label("vocals"),))]
    three, two = (one(mixture, one.condition(asked)).stems for one in (model, pair))
    assert torch.equal(three, two)
    assert model.condition(asked).priors == ("vocals", "other")
    guitar = model.condition([Target("guitar", (Label("guitar"),))])
    assert guitar.priors == ("guitar", "vocals")
    assert guitar.indices == (0,)
