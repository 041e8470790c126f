import itertools

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.errors import AudioError, AudioReadError, Cancelled, GuideError, ModelError, SettingsError
from unbraid.guides.kinds import Label, Prompts, Target, unique_names
from unbraid.models.separator import Estimates, Joinable, Sampling, Separator
from unbraid.request import load_separator
from unbraid.separation import Separation, Settings, residual_of, separate, separate_stream
from unbraid.zoo import debug_model

RATE = 8000


class FakeCondition:
    def __init__(self, names, *, groups=(), span=None):
        self.names, self.groups, self.span = names, groups, span

    def crop(self, start, stop):
        del start, stop
        return self


class OnTheClock(FakeCondition):
    """A condition that is another one in every window."""

    def crop(self, start, stop):
        return OnTheClock(self.names, groups=self.groups, span=(start, stop))


class Fake(Separator):
    """Stem i is the mixture times the gain of stem i; presence is the peak of the window."""

    condition_type = FakeCondition

    def __init__(self, gains=(0.5, 0.25), *, sample_rate=RATE, segment=0.1, presence=True):
        super().__init__()
        self.gains = nn.Parameter(torch.tensor(gains))
        self.dropout = nn.Dropout(0.5)
        self.sample_rate, self.segment = sample_rate, segment
        self.accepts, self.vocabulary = frozenset({Label, Prompts}), ("a", "b")
        self.with_presence = presence
        self.seen = []

    def condition(self, targets):
        if any(target.name == "foreign" for target in targets):
            raise GuideError("foreign")
        return self.condition_type(unique_names([target.name for target in targets]))

    def forward(self, mixture, condition):
        self.seen.append((tuple(mixture.shape), condition.span, torch.is_grad_enabled(), self.training))
        gains = self.gains[: len(condition.names)]
        stems = self.dropout(mixture[:, None] * gains[:, None, None])
        presence = mixture.abs().amax(dim=(1, 2))[:, None].expand(-1, len(gains)) if self.with_presence else None
        return Estimates(stems, presence)


class Answering(Fake):
    """Answers as a function says."""

    def __init__(self, answer, **options):
        super().__init__(**options)
        self.answer = answer

    def forward(self, mixture, condition):
        return self.answer(mixture, condition)


def noise(n_channels, n_samples, seed=0):
    return torch.rand(n_channels, n_samples, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def stream_all(stream):
    blocks = list(stream)
    parts = ([block.mixture for block in blocks], [block.stems for block in blocks], [b.residual for b in blocks])
    return [torch.cat(part, dim=-1) for part in parts]


def test_stems_and_residual_add_up():
    mixture = noise(2, 5000)
    result = separate(mixture, Prompts("a b"), model=Fake(), sample_rate=RATE)
    assert isinstance(result, Separation)
    assert list(result.stems) == ["a", "b"]
    for stem, gain in zip(result.stems.values(), (0.5, 0.25), strict=True):
        assert stem.sample_rate == RATE
        torch.testing.assert_close(stem.samples, mixture * gain, rtol=0, atol=1e-6)
    assert torch.equal(result.residual.samples, mixture - sum(stem.samples for stem in result.stems.values()))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("model_rate", [8000, 44100])
def test_rate_length_and_channels_come_back(rate, model_rate):
    for n_channels, n_samples in ((1, 1), (3, 2), (2, 7), (8, 333), (1, 9999)):
        mixture = noise(n_channels, n_samples)
        model = Fake(sample_rate=model_rate)
        result = separate(mixture, [Label("a"), Label("b")], model=model, sample_rate=rate)
        for audio in (*result.stems.values(), result.residual):
            assert audio.sample_rate == rate
            assert audio.samples.shape == mixture.shape
            assert torch.isfinite(audio.samples).all()
        assert torch.equal(result.residual.samples, mixture - sum(stem.samples for stem in result.stems.values()))


def test_other_rates_go_through_the_models_rate():
    mixture = noise(2, 20_000)
    result = separate(mixture, Label("a"), model=Fake((1.0,), sample_rate=16000), sample_rate=44100)
    there = resample(torch.cat([mixture, torch.zeros(2, 1000)], dim=1), source_rate=44100, target_rate=16000)
    back = resample(there, source_rate=16000, target_rate=44100)[:, :20_000]
    torch.testing.assert_close(result.stems["a"].samples[:, :19_000], back[:, :19_000], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("rate", "model_rate"), [(44100, 16000), (192000, 8000), (8000, 44100), (48000, 44100)])
def test_the_last_samples_are_separated_too(rate, model_rate):
    for n_samples in range(1000, 1040):
        mixture = torch.full((1, n_samples), 0.5)
        result = separate(mixture, Label("a"), model=Fake((1.0,), sample_rate=model_rate), sample_rate=rate)
        assert result.stems["a"].samples[0, -1] > 0.01  # and not the zero that fills a gap


@settings(max_examples=60, deadline=None)
@given(
    n_samples=st.integers(1, 6000),
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=3).filter(any),
    model_rate=st.sampled_from([RATE, 6000, 11025]),
    batch_size=st.integers(1, 3),
)
def test_stream_does_not_depend_on_blocks(n_samples, sizes, model_rate, batch_size):
    mixture = noise(2, n_samples, seed=n_samples)

    def blocks():
        start = 0
        for size in itertools.cycle(sizes):
            if start >= n_samples:
                return
            yield mixture[:, start : start + size]
            start += size

    def run(parts):
        model = Fake(sample_rate=model_rate)
        return stream_all(
            separate_stream(
                model, parts, Prompts("a b"), sample_rate=RATE, settings=Settings(batch_size=batch_size, overlap=0.4)
            )
        )

    one, other = run(blocks()), run([mixture])
    assert torch.equal(one[0], mixture)
    for cut, whole in zip(one, other, strict=True):
        assert torch.equal(cut, whole)
    assert one[1].shape == (2, 2, n_samples)


def test_two_runs_are_bit_identical():
    mixture, model = noise(2, 20_000), debug_model()
    runs = [separate(mixture, Prompts("speech speech drums"), model=model, sample_rate=22050) for _ in range(2)]
    for name in runs[0].stems:
        assert torch.equal(runs[0].stems[name].samples, runs[1].stems[name].samples)
    assert runs[0].presence == runs[1].presence


def copied(mixture):
    samples = mixture.samples if isinstance(mixture, Audio) else mixture
    return samples.detach().clone() if isinstance(samples, torch.Tensor) else torch.from_numpy(np.array(samples))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: x.double(),
        lambda x: x.half(),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.T.contiguous().T,
        lambda x: torch.stack([x, x], dim=-1)[..., 0],
        lambda x: x.numpy(),
        lambda x: x.numpy().astype(np.float64),
        lambda x: np.asfortranarray(x.numpy()),
        lambda x: x.numpy()[:, ::-1],
        lambda x: (x.numpy() * 20_000).astype(np.int16),
        lambda x: x.tolist(),
        lambda x: x[0],
        lambda x: x[0].numpy(),
        lambda x: Audio(x, RATE),
    ],
)
def test_any_array_is_taken_and_none_is_touched(make):
    mixture = make(noise(2, 1500))
    if isinstance(mixture, np.ndarray):
        mixture.flags.writeable = False
    before = copied(mixture)
    result = separate(mixture, Label("a"), model=Fake((0.5,)), sample_rate=RATE)
    audio = mixture if isinstance(mixture, Audio) else Audio.from_array(mixture, RATE)
    torch.testing.assert_close(result.stems["a"].samples, audio.samples.detach() * 0.5, rtol=0, atol=1e-6)
    assert not result.stems["a"].samples.requires_grad
    assert torch.equal(copied(mixture), before)


@pytest.mark.parametrize("n_channels", range(1, 9))
def test_one_to_eight_channels(n_channels):
    result = separate(noise(n_channels, 100), Label("a"), model=Fake((1.0,)), sample_rate=RATE)
    assert result.residual.n_channels == n_channels


@pytest.mark.parametrize("name", ["song.wav", "Лёд 音.wav"])
def test_a_file_is_read(tmp_path, name):
    soundfile.write(tmp_path / name, noise(2, 3000).numpy().T, RATE, subtype="FLOAT")
    for path in (tmp_path / name, str(tmp_path / name)):
        result = separate(path, Label("a"), model=Fake((0.5,)))
        torch.testing.assert_close(result.stems["a"].samples, noise(2, 3000) * 0.5, rtol=0, atol=1e-6)


def test_what_is_no_mixture(tmp_path):
    bad = noise(1, 10_000)
    bad[0, 4000] = float("nan")

    def run(mixture, rate=RATE):
        return separate(mixture, Label("a"), model=Fake(), sample_rate=rate)

    with pytest.raises(AudioError, match=r"the sample of the mixture at 0\.500 s is not a finite number: repair"):
        run(bad)
    with pytest.raises(AudioError, match="not a finite number"):
        run([0.0, float("inf")])
    for empty in ([], torch.zeros(2, 0), np.zeros(0)):
        with pytest.raises(AudioError, match="the mixture is empty"):
            run(empty)
    with pytest.raises(AudioError, match=r"samples must be \[1 to 8 channels, samples\], got shape \(9, 5\)"):
        run(torch.zeros(9, 5))
    for other in (torch.zeros(1, 2, 3), torch.zeros(0, 3)):
        with pytest.raises(AudioError, match="samples"):
            run(other)
    with pytest.raises(AudioError, match="give sample_rate"):
        run(torch.zeros(10), None)
    with pytest.raises(AudioError, match="sample_rate must be positive"):
        run(torch.zeros(10), 0)
    with pytest.raises(AudioError, match="the mixture has 44100 Hz, not 8000: leave sample_rate out"):
        run(Audio(torch.zeros(1, 9), 44100))
    with pytest.raises(AudioReadError):
        separate(tmp_path / "missing.wav", Label("a"), model=Fake())


def test_streams_refuse_the_same():
    def run(*blocks):
        return list(separate_stream(Fake(), blocks, Label("a"), sample_rate=RATE))

    with pytest.raises(AudioError, match="the mixture is empty"):
        run()
    with pytest.raises(AudioError, match="the mixture is empty"):
        run(torch.zeros(2, 0))
    with pytest.raises(AudioError, match=r"at 0\.126 s is not"):
        run(torch.zeros(1, 1000), torch.tensor([[0.0] * 8 + [float("inf")]]))
    with pytest.raises(AudioError, match="must all have 2 channels, got one with 1"):
        run(torch.zeros(2, 10), torch.zeros(1, 10))
    with pytest.raises(AudioError, match="sample_rate must be positive"):
        separate_stream(Fake(), [], Label("a"), sample_rate=0)


def test_guides_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(GuideError, match="foreign"):
        separate(tmp_path / "missing.wav", Label("foreign"), model=Fake())
    with pytest.raises(GuideError, match="foreign"):
        separate_stream(Fake(), iter([]), Label("foreign"), sample_rate=RATE)
    with pytest.raises(GuideError, match="nothing is asked for"):
        separate(torch.zeros(9), [], model=Fake(), sample_rate=RATE)


def test_models_by_name_and_by_themselves():
    model = Fake()
    assert load_separator(model) is model
    with pytest.raises(ModelError, match="unknown model 'no-such-model'"):
        separate(torch.zeros(9), Label("a"), model="no-such-model", sample_rate=RATE)


def test_progress_rises_to_one():
    seen = []
    separate(noise(1, 20_000), Label("a"), model=Fake((1.0,)), sample_rate=RATE, progress=seen.append)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert seen.count(1.0) == 1
    assert seen[0] > 0


@pytest.mark.parametrize(("n_samples", "n_told"), [(None, 1), (10, 1), (10**9, 20)])
def test_progress_of_streams_of_unknown_or_wrong_length(n_samples, n_told):
    seen = []
    stream = separate_stream(
        Fake((1.0,)), [noise(1, 20_000)], Label("a"), sample_rate=RATE, n_samples=n_samples, progress=seen.append
    )
    assert sum(block.mixture.shape[1] for block in stream) == 20_000
    assert len(seen) >= n_told
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("batch_size", [1, 4])
def test_cancel_is_asked_for_every_batch(batch_size):
    model, n_asked = Fake((1.0,)), 0

    def cancel():
        nonlocal n_asked
        n_asked += 1
        return len(model.seen) >= 3

    with pytest.raises(Cancelled, match="as asked"):
        separate(
            noise(1, 80_000), Label("a"), model=model, sample_rate=RATE, settings=Settings(batch_size=batch_size),
            cancel=cancel,
        )  # fmt: skip
    assert len(model.seen) == 3
    assert n_asked > 3


def test_cancel_at_once():
    model = Fake()
    with pytest.raises(Cancelled):
        separate(noise(1, 100), Label("a"), model=model, sample_rate=RATE, cancel=lambda: True)
    assert model.seen == []


def test_settings_lay_out_the_windows():
    model = Fake((1.0,))
    separate(
        noise(2, 4000), Label("a"), model=model, sample_rate=RATE,
        settings=Settings(segment=0.125, overlap=0.5, batch_size=3),
    )  # fmt: skip
    assert [shape for shape, *_ in model.seen] == [(3, 2, 1000), (3, 2, 1000), (1, 2, 1000)]
    model.seen.clear()
    separate(noise(1, 700), Label("a"), model=model, sample_rate=RATE)
    assert [shape for shape, *_ in model.seen] == [(1, 1, 700)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"overlap": 0.9}, "overlap 0.9 is out of range: use 0 to 0.9"),
        ({"overlap": -0.5}, "overlap"),
        ({"segment": 0.0}, "segment 0.0 is out of range: use a positive number of seconds"),
        ({"segment": float("nan")}, "segment"),
        ({"segment": float("inf")}, "segment"),
        ({"batch_size": 0}, "batch_size 0 is out of range: use 1 or more"),
        ({"precision": "fp8"}, "unknown precision 'fp8': use one of fp32, bf16"),
    ],
)
def test_settings_that_make_no_sense(values, message):
    with pytest.raises(SettingsError, match=message):
        Settings(**values)


def test_presence_is_the_mean_of_the_highest_quarter():
    mixture = torch.full((1, 8000), 0.1)
    mixture[:, 800:1600] = 0.9  # one of ten windows
    result = separate(mixture, Prompts("a b"), model=Fake(), sample_rate=RATE, settings=Settings(overlap=0.0))
    assert result.presence == pytest.approx({"a": (0.9 + 0.1 + 0.1) / 3, "b": (0.9 + 0.1 + 0.1) / 3})
    assert [start for start, _ in result.presence_curve] == pytest.approx([0.1 * index for index in range(10)])
    assert [values[0] for _, values in result.presence_curve] == pytest.approx([0.1, 0.9] + [0.1] * 8)


def test_presence_of_a_model_that_does_not_know():
    result = separate(noise(1, 3000), Prompts("a b"), model=Fake(presence=False), sample_rate=RATE)
    assert result.presence == {"a": None, "b": None}
    assert result.presence_curve == ()


def test_presence_times_are_on_the_mixtures_clock():
    model = Fake(sample_rate=16000, segment=0.5)
    result = separate(noise(1, 3 * RATE), Label("a"), model=model, sample_rate=RATE)
    assert [start for start, _ in result.presence_curve] == [0.0, 0.375, 0.75, 1.125, 1.5, 1.875, 2.25, 2.5]


def test_silence():
    result = separate(torch.zeros(2, 9000), Prompts("a b"), model=Fake(), sample_rate=RATE)
    for audio in (*result.stems.values(), result.residual):
        assert torch.isfinite(audio.samples).all()


def test_sounds_of_one_prompt_keep_their_voice():
    time = torch.arange(8 * RATE)
    voices = torch.stack([torch.sin(0.3 * time), 0.5 * torch.sin(0.05 * time)])[:, None]
    n_windows, position = 0, {}

    class Condition(FakeCondition):
        def crop(self, start, stop):
            position["start"] = round(start * RATE)
            return OneWindow(self.names, groups=self.groups, span=position["start"])

    class OneWindow(FakeCondition):
        pass

    def answer(mixture, condition):
        nonlocal n_windows
        n_windows += 1
        order = [1, 0] if n_windows % 2 == 0 else [0, 1]
        start = condition.span
        return Estimates(
            voices[order, :, start : start + mixture.shape[-1]][None], torch.tensor([[0.2, 0.8]])[:, order]
        )

    class Grouped(Answering):
        groups = ((0, 1),)

        def condition(self, targets):
            return Condition(unique_names([target.name for target in targets]), groups=self.groups)

    class Ungrouped(Grouped):
        groups = ()

    mixture = voices.sum(dim=0)
    naive = separate(mixture, Prompts("a a"), model=Ungrouped(answer), sample_rate=RATE)
    assert (naive.stems["a-1"].samples - voices[0]).abs().max() > 0.5
    n_windows = 0
    result = separate(mixture, Prompts("a a"), model=Grouped(answer), sample_rate=RATE)
    assert n_windows > 50
    torch.testing.assert_close(result.stems["a-1"].samples, voices[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(result.stems["a-2"].samples, voices[1], rtol=0, atol=1e-5)
    assert result.presence == pytest.approx({"a-1": 0.2, "a-2": 0.8})


def test_conditions_on_the_clock_are_cropped_window_by_window():
    model = Fake((1.0,))
    model.condition_type = OnTheClock
    mixture = noise(1, 2000)
    result = separate(mixture, Label("a"), model=model, sample_rate=RATE, settings=Settings(overlap=0.5, batch_size=4))
    spans = [span for _, span, *_ in model.seen]
    assert np.array(spans) == pytest.approx(np.array([(0.0, 0.1), (0.05, 0.15), (0.1, 0.2), (0.15, 0.25)]))
    assert all(shape[0] == 1 for shape, *_ in model.seen)
    torch.testing.assert_close(result.stems["a"].samples, mixture, rtol=0, atol=1e-6)


class Together(OnTheClock):
    """A condition of which several windows go through the network together."""

    def __init__(self, names, *, groups=(), span=None, joined=()):
        super().__init__(names, groups=groups, span=span)
        self.joined = joined or ((span,) if span else ())

    def crop(self, start, stop):
        return Together(self.names, groups=self.groups, span=(start, stop))

    def join(self, others):
        joined = tuple(span for one in (self, *others) for span in one.joined)
        return Together(self.names, groups=self.groups, span=self.span, joined=joined)


class Clocked(Fake):
    """The stem is the mixture times the second at which the window begins."""

    condition_type = Together

    def forward(self, mixture, condition):
        self.seen.append((tuple(mixture.shape), condition.joined))
        assert len(condition.joined) == len(mixture)
        starts = torch.tensor([start for start, _ in condition.joined])
        stems = mixture[:, None] * starts[:, None, None, None]
        return Estimates(stems, starts[:, None].clamp(0, 1))


@pytest.mark.parametrize("n_samples", [800, 2000, 2100])
def test_windows_that_can_be_joined_are_and_answer_the_same(n_samples):
    mixture, model = noise(1, n_samples), Clocked((1.0,))
    assert isinstance(Together(("a",)), Joinable)
    assert not isinstance(OnTheClock(("a",)), Joinable)
    results = [
        separate(mixture, Label("a"), model=model, sample_rate=RATE, settings=Settings(overlap=0.5, batch_size=size))
        for size in (1, 3)
    ]
    assert torch.equal(results[0].stems["a"].samples, results[1].stems["a"].samples)
    assert results[0].presence_curve == results[1].presence_curve
    sizes = [shape[0] for shape, _ in model.seen]
    assert max(sizes) == min(3, len(results[0].presence_curve))
    assert [start for start, _ in results[0].presence_curve] == pytest.approx([start for _, joined in model.seen[
        len(results[0].presence_curve):] for start, _ in joined])  # fmt: skip


def test_a_model_says_at_which_samples_its_windows_begin():
    model = Fake((1.0,))
    model.step = 70
    result = separate(noise(1, 3000), Label("a"), model=model, sample_rate=RATE, settings=Settings(overlap=0.25))
    starts = [round(start * RATE) for start, _ in result.presence_curve]
    assert starts == [0, 560, 1120, 1680, 2200]


class Drawing(Fake):
    """The gain of the stem is the seed."""

    def check_sampling(self, sampling):
        if sampling.candidates > 1:
            raise SettingsError("one at a time")

    def sample_with(self, condition, sampling):
        self.check_sampling(sampling)
        return FakeCondition(condition.names, span=sampling.seed)

    def forward(self, mixture, condition):
        return Estimates(mixture[:, None] * float(condition.span or 0), None)


def test_random_draws_are_made_as_asked():
    mixture, model = noise(1, 900), Drawing()

    def run(**values):
        settings = Settings(sampling=Sampling(**values)) if values else Settings()
        _, stems, _ = stream_all(separate_stream(model, [mixture], Label("a"), sample_rate=RATE, settings=settings))
        result = separate(mixture, Label("a"), model=model, sample_rate=RATE, settings=settings)
        assert torch.equal(stems[0], result.stems["a"].samples)
        return result.stems["a"].samples

    assert not run().any()
    torch.testing.assert_close(run(seed=2), 2 * mixture, rtol=0, atol=1e-5)
    with pytest.raises(SettingsError, match="one at a time"):
        run(candidates=2)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(seed=3), Sampling(steps=9), Sampling(candidates=2)])
def test_a_model_that_draws_nothing_says_so_before_anything_is_read(tmp_path, sampling):
    model, how = Fake(), Settings(sampling=sampling)
    with pytest.raises(SettingsError, match="Fake draws nothing at random: leave seed, steps and candidates out"):
        separate(noise(1, 90), Label("a"), model=model, sample_rate=RATE, settings=how)
    with pytest.raises(SettingsError, match="draws nothing"):
        separate_stream(model, iter([]), Label("a"), sample_rate=RATE, settings=how)
    assert model.seen == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps 0 is out of range: use 1 to 1000"),
        ({"steps": 1001}, "steps 1001 is out of range"),
        ({"candidates": 0}, "candidates 0 is out of range: use 1 to 64"),
        ({"candidates": 65}, "candidates 65"),
        ({"seed": -1}, "seed -1 is out of range: use 0 or a positive number"),
        ({"seed": 1 << 63}, "is out of range"),
    ],
)
def test_draws_that_make_no_sense(values, message):
    with pytest.raises(SettingsError, match=message):
        Sampling(**values)


def test_nothing_global_is_changed():
    model = Fake()
    model.dropout.eval()  # a part that is not in training, inside of one that is
    state, n_threads, rng = model.training, torch.get_num_threads(), torch.get_rng_state()
    stream = separate_stream(model, [noise(1, 20_000)], Prompts("a b"), sample_rate=RATE)
    for _ in itertools.islice(stream, 3):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        assert model.training
        assert not model.dropout.training
    assert (model.training, torch.get_num_threads()) == (state, n_threads)
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(not grad and not training for *_, grad, training in model.seen)
    with torch.no_grad():
        separate(noise(1, 100), Prompts("a b"), model=model, sample_rate=RATE)
        assert not torch.is_grad_enabled()


def test_training_mode_comes_back_after_an_error():
    def answer(mixture, condition):
        raise RuntimeError("broken")

    model = Answering(answer)
    with pytest.raises(RuntimeError, match="broken"):
        separate(noise(1, 100), Label("a"), model=model, sample_rate=RATE)
    assert model.training
    assert model.dropout.training


def test_results_can_be_used_in_training():
    result = separate(noise(1, 1000), Label("a"), model=Fake((1.0,)), sample_rate=RATE)
    weight = torch.ones(1, requires_grad=True)
    (result.stems["a"].samples * weight).sum().backward()
    assert weight.grad is not None


def test_bf16_is_close_and_callers_autocast_is_not_taken_over():
    linear = nn.Linear(64, 64)

    def answer(mixture, condition):
        frames = linear(mixture.reshape(*mixture.shape[:2], -1, 64))
        return Estimates(frames.reshape(mixture.shape)[:, None], None)

    model, mixture = Answering(answer, segment=0.08), noise(1, 6400)
    exact = separate(mixture, Label("a"), model=model, sample_rate=RATE).stems["a"].samples
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(separate(mixture, Label("a"), model=model, sample_rate=RATE).stems["a"].samples, exact)
    fast = separate(mixture, Label("a"), model=model, sample_rate=RATE, settings=Settings(precision="bf16"))
    assert fast.stems["a"].samples.dtype == torch.float32
    error = (fast.stems["a"].samples - exact).square().mean() / exact.square().mean()
    assert 0 < error < 1e-4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x, c: Estimates(x[:, None] * float("nan"), None), r"not finite in the window at 0\.00 s: check"),
        (lambda x, c: Estimates(x[:, None], torch.tensor([[float("nan")]])), "not finite"),
        (lambda x, c: Estimates(torch.stack([x, x], 1), None), "was asked for 1 sounds and gave 2"),
    ],
)
def test_models_that_answer_with_no_sound(answer, message):
    with pytest.raises(ModelError, match=message):
        separate(noise(1, 500), Label("a"), model=Answering(answer), sample_rate=RATE)


def test_targets_of_every_spelling():
    for targets in (Prompts("a b"), [Label("a"), Label("b")], [Target("a", Label("a")), Prompts("b")]):
        assert list(separate(noise(1, 50), targets, model=Fake(), sample_rate=RATE).stems) == ["a", "b"]


def test_levels_far_above_full_scale_are_kept():
    mixture = noise(1, 3000) * 1e4
    result = separate(mixture, Label("a"), model=Fake((1.0,)), sample_rate=RATE)
    torch.testing.assert_close(result.stems["a"].samples, mixture, rtol=1e-6, atol=0)


def test_memory_of_a_stream_is_bounded():
    n_in, n_out, most = 0, 0, 0

    def blocks():
        nonlocal n_in
        for index in range(400):
            n_in += 1000
            yield noise(2, 1000, seed=index)

    stream = separate_stream(Fake(sample_rate=16000), blocks(), Prompts("a b"), sample_rate=RATE)
    for block in stream:
        n_out += block.mixture.shape[1]
        most = max(most, n_in - n_out)
    assert n_out == 400_000
    assert most < 5000


def test_residual_sums_stems_in_order():
    mixture, stems = torch.tensor([[1e8]]), torch.tensor([[[1e8]], [[1.0]], [[-1e8]]])
    assert residual_of(mixture, stems).item() == 1e8  # 1e8 + 1 is 1e8 in float32, so the sum is 0
    assert residual_of(mixture.double(), stems.double()).item() == 1e8 - 1


def test_the_real_network_in_windows():
    mixture, model = noise(2, 30_000), debug_model()
    result = separate(mixture, Prompts("vocals drums"), model=model, sample_rate=22050)
    assert all(stem.samples.shape == mixture.shape for stem in result.stems.values())
    assert all(0 <= value <= 1 for value in result.presence.values())
    assert torch.equal(result.residual.samples, mixture - sum(stem.samples for stem in result.stems.values()))
    one = separate(mixture[:, :1], Prompts("vocals drums"), model=model, sample_rate=22050)
    assert one.residual.n_samples == 1
