import itertools
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.audio.segments import Finished, WindowLayout, overlap_add
from unbraid.errors import AudioError, SettingsError


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def identity(windows, starts):
    """Two outputs: the window, and the window upside down."""
    return torch.stack([windows, -windows], dim=1), None


def joined(pieces):
    return torch.cat([piece.estimates for piece in pieces], dim=-1)


def cut(samples, sizes):
    """Cut into blocks of the given sizes, over and over."""
    start = 0
    for size in itertools.cycle(sizes):
        if start >= samples.shape[1]:
            return
        yield samples[:, start : start + size]
        start += size


@settings(max_examples=400, deadline=None)
@given(
    n_samples=st.integers(1, 400),
    n_channels=st.integers(1, 3),
    length=st.integers(1, 120),
    overlap=st.floats(0, 0.9, exclude_max=True),
    batch_size=st.integers(1, 5),
    more=st.tuples(st.sampled_from(["linear", "box"]), st.integers(1, 150)),
    sizes=st.lists(st.integers(0, 150), min_size=1, max_size=4).filter(any),
    n_silent=st.integers(0, 200),
)
def test_identity_comes_back_and_blocks_do_not_matter(
    n_samples, n_channels, length, overlap, batch_size, more, sizes, n_silent
):
    layout = WindowLayout(length, overlap, batch_size, *more)
    mixture = noise(n_channels, n_samples, seed=n_samples)
    mixture[:, :n_silent] = 0
    before = mixture.clone()
    seen = []

    def process(windows, starts):
        seen.extend(zip(starts, windows.clone(), strict=True))
        assert len(windows) <= batch_size
        return identity(windows, starts)

    result = joined(overlap_add(cut(mixture, sizes), process, layout=layout))
    assert result.shape == (2, n_channels, n_samples)
    torch.testing.assert_close(result, torch.stack([mixture, -mixture]), rtol=0, atol=1e-6)
    assert torch.equal(result, joined(overlap_add([mixture], identity, layout=layout)))  # to the last bit
    assert torch.equal(mixture, before)
    assert [start for start, _ in seen] == layout.starts(n_samples)
    for start, window in seen:
        assert torch.equal(window, mixture[:, start : start + length])


@settings(max_examples=100, deadline=None)
@given(
    n_samples=st.integers(1, 300),
    length=st.integers(1, 60),
    overlap=st.floats(0, 0.9, exclude_max=True),
    fade=st.sampled_from(["linear", "box"]),
)
def test_result_is_the_weighted_mean_of_the_windows(n_samples, length, overlap, fade):
    layout = WindowLayout(length, overlap, 2, fade)

    def process(windows, starts):  # every window says something else
        said = [torch.full_like(window, float(start)) for window, start in zip(windows, starts, strict=True)]
        return torch.stack(said)[:, None], None

    result = joined(overlap_add([noise(1, n_samples)], process, layout=layout))[0, 0].double()
    total, weight = torch.zeros(n_samples).double(), torch.zeros(n_samples).double()
    for start in layout.starts(n_samples):
        weights = layout.weights().double()[: n_samples - start]
        total[start : start + length] += weights * start
        weight[start : start + length] += weights
    torch.testing.assert_close(result, total / weight, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.4, 0.5])
def test_the_drawing_edges_alone_sum_to_one(overlap):
    layout = WindowLayout(1000, overlap)
    fade = layout.length - layout.stride
    weights = layout.weights()
    meeting = weights[layout.stride :] + weights[:fade]
    torch.testing.assert_close(meeting, torch.ones(fade), rtol=0, atol=1e-6)
    assert torch.equal(weights[fade : layout.stride], torch.ones(layout.stride - fade))
    assert weights.min() > 0


def test_box_is_the_plain_mean():
    layout = WindowLayout(10, 0.5, fade="box")

    def process(windows, starts):
        return torch.full_like(windows, float(starts[0]))[:, None], None

    result = joined(overlap_add([torch.zeros(1, 15)], process, layout=layout))
    assert result.flatten().tolist() == [0.0] * 5 + [2.5] * 5 + [5.0] * 5


def test_clip_shorter_than_a_window_is_one_short_window():
    shapes = []

    def process(windows, starts):
        shapes.append((tuple(windows.shape), list(starts)))
        return windows[:, None], None

    clip = noise(2, 7)
    assert torch.equal(joined(overlap_add([clip], process, layout=WindowLayout(100, batch_size=4)))[0], clip)
    assert shapes == [((1, 2, 7), [0])]


def test_last_window_moves_left_and_holds_no_padding():
    starts = []

    def process(windows, here):
        starts.extend(here)
        assert windows.shape[-1] == 100
        assert windows.abs().min() > 0
        return windows[:, None], None

    joined(overlap_add(torch.ones(1, 180).split(11, dim=1), process, layout=WindowLayout(100, 0.25, 3)))
    assert starts == [0, 75, 80]


@pytest.mark.parametrize(
    ("values", "stride", "starts"),
    [
        ({"step": 10}, 70, [0, 70, 140, 160]),  # 75, as a multiple of 10
        ({"step": 75}, 75, [0, 75, 150, 160]),
        ({"step": 80}, 80, [0, 80, 160]),  # never less than a step, so that windows overlap less
        ({"step": 100}, 100, [0, 100, 160]),
        ({"step": 101}, 75, [0, 75, 150, 160]),  # longer than a window: cannot be kept
        ({"step": 30, "overlap": 0.0}, 90, [0, 90, 160]),
        ({"step": 3, "overlap": 0.89}, 9, [*range(0, 160, 9), 160]),
    ],
)
def test_windows_begin_at_steps_but_for_the_last(values, stride, starts):
    layout = WindowLayout(100, **values)
    assert layout.stride == stride
    assert layout.starts(260) == starts
    assert layout.starts(100) == [0]
    assert layout.starts(101) == [0, 1]
    assert layout.starts(0) == []


def test_nothing_in_nothing_out():
    for blocks in ([], [torch.zeros(2, 0)]):
        assert list(overlap_add(blocks, identity, layout=WindowLayout(10))) == []


def test_silence_stays_silence():
    result = joined(overlap_add([torch.zeros(2, 333)], identity, layout=WindowLayout(50, 0.8, 4), groups=[(0, 1)]))
    assert torch.equal(result, torch.zeros(2, 2, 333))


def test_batches_are_full_until_the_end():
    sizes = []

    def process(windows, starts):
        sizes.append(len(windows))
        return windows[:, None], None

    joined(overlap_add(torch.zeros(1, 1000).split(1, dim=1), process, layout=WindowLayout(100, 0.5, 4)))
    assert sizes == [4, 4, 4, 4, 3]  # 19 windows


def test_scores_come_with_the_start_of_their_window():
    def process(windows, starts):
        return windows[:, None], windows.amax(dim=(1, 2))[:, None]

    ramp = torch.arange(100.0)[None]
    pieces = list(overlap_add(ramp.split(9, dim=1), process, layout=WindowLayout(40, 0.5, 2)))
    scores = [(start, values.tolist()) for piece in pieces for start, values in piece.scores]
    assert scores == [(0, [39.0]), (20, [59.0]), (40, [79.0]), (60, [99.0])]


def test_pieces_arrive_as_soon_as_they_are_final():
    n_pushed = 0

    def blocks():
        nonlocal n_pushed
        for block in noise(1, 10_000).split(10, dim=1):
            n_pushed += 10
            yield block

    layout, n_out = WindowLayout(100, 0.25, 2), 0
    for piece in overlap_add(blocks(), identity, layout=layout):
        n_out += piece.estimates.shape[-1]
        assert n_pushed - n_out <= layout.length + layout.batch_size * layout.stride


def test_blocks_are_let_go():
    alive = []

    def blocks():
        for index in range(50):
            block = noise(1, 64, seed=index)
            alive.append(weakref.ref(block))
            yield block
            del block
            assert sum(ref() is not None for ref in alive) <= 2

    assert joined(overlap_add(blocks(), identity, layout=WindowLayout(100, 0.5))).shape[-1] == 3200


def test_gradients_do_not_flow_and_the_callers_tensor_stays():
    samples = noise(1, 100).requires_grad_()
    result = joined(overlap_add([samples], identity, layout=WindowLayout(30, 0.5)))
    assert not result.requires_grad
    torch.testing.assert_close(result[0], samples.detach(), rtol=0, atol=1e-6)


def test_reused_block_memory_is_safe():
    mixture, buffer = noise(1, 500), torch.empty(1, 10)

    def blocks():
        for part in mixture.split(10, dim=1):
            buffer.copy_(part)
            yield buffer

    torch.testing.assert_close(
        joined(overlap_add(blocks(), identity, layout=WindowLayout(64, 0.5, 3)))[0], mixture, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "values",
    [
        {"length": 0},
        {"overlap": 0.9},
        {"overlap": -0.1},
        {"overlap": float("nan")},
        {"batch_size": 0},
        {"fade": "sine"},
        {"step": 0},
    ],
)
def test_layouts_that_make_no_sense(values):
    with pytest.raises(SettingsError, match=r".+: .+|.+ is out of range: .+"):
        WindowLayout(**{"length": 10, **values})


def test_channels_must_not_change():
    with pytest.raises(AudioError, match=r"blocks must be \[2, samples\], got shape \(1, 5\)"):
        joined(overlap_add([torch.zeros(2, 5), torch.zeros(1, 5)], identity, layout=WindowLayout(4)))


def test_answers_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"windows \[1, 2, 4\] were answered with estimates \[1, 1, 2, 3\]"):
        joined(overlap_add([torch.zeros(2, 9)], lambda w, s: (w[:, None, :, 1:], None), layout=WindowLayout(4)))
    with pytest.raises(ValueError, match="came with scores"):
        joined(overlap_add([torch.zeros(2, 9)], lambda w, s: (w[:, None], torch.zeros(1)), layout=WindowLayout(4)))


def tone(frequency, n_samples):
    return torch.sin(torch.arange(n_samples) * frequency)


class Swapper:
    """A separator of two voices and a third sound, that swaps the voices in every second window."""

    def __init__(self, first, second, third):
        self.sources = torch.stack([first, second, third])[:, None]  # [3, 1, N]
        self.n_windows = 0

    def __call__(self, windows, starts):
        estimates, scores = [], []
        for start in starts:
            order = [1, 0, 2] if self.n_windows % 2 else [0, 1, 2]
            self.n_windows += 1
            estimates.append(self.sources[order, :, start : start + windows.shape[-1]])
            scores.append(torch.tensor([0.1, 0.2, 0.3])[order])
        return torch.stack(estimates), torch.stack(scores)


N = 4000
VOICES = (tone(0.3, N), tone(0.05, N) * 0.5)


def separate(process, *, groups=(), overlap=0.25, length=400, batch_size=3):
    layout = WindowLayout(length, overlap, batch_size)
    pieces = list(overlap_add([torch.zeros(1, N)], process, layout=layout, groups=groups))
    return joined(pieces)[:, 0], [values.tolist() for piece in pieces for _, values in piece.scores]


@pytest.mark.parametrize("overlap", [0.1, 0.25, 0.5, 0.85])
def test_voices_keep_their_identity(overlap):
    third = VOICES[0] + VOICES[1]
    naive, naive_scores = separate(Swapper(*VOICES, third), overlap=overlap)
    assert (naive[0] - VOICES[0]).abs().max() > 0.5  # what the chunker is there to prevent
    assert naive_scores[1] == pytest.approx([0.2, 0.1, 0.3])
    result, scores = separate(Swapper(*VOICES, third), overlap=overlap, groups=[(0, 1)])
    torch.testing.assert_close(result, torch.stack([*VOICES, third]), rtol=0, atol=1e-5)
    assert all(row == pytest.approx([0.1, 0.2, 0.3]) for row in scores)
    assert len(scores) > 8


def test_outputs_of_another_prompt_are_never_moved():
    process = Swapper(VOICES[0], VOICES[1], VOICES[0])
    result, _ = separate(process, groups=[(0, 2)])  # 0 and 1 swap, but do not share a prompt
    naive, _ = separate(Swapper(VOICES[0], VOICES[1], VOICES[0]))
    assert torch.equal(result[1], naive[1])


def test_a_pause_in_the_overlap_is_bridged_by_how_the_voices_sound():
    pause = torch.ones(N)
    for start in range(300, N, 300):  # overlaps of windows of 400 at a stride of 300
        pause[start : start + 100] = 0
    voices = [voice * pause for voice in VOICES]
    result, _ = separate(Swapper(*voices, voices[0]), groups=[(0, 1)])
    torch.testing.assert_close(result[:2], torch.stack(voices), rtol=0, atol=1e-5)


def test_voices_that_take_turns_with_silence_between():
    first, second = VOICES[0].clone(), VOICES[1].clone()
    for index, start in enumerate(range(0, N, 500)):
        (second if index % 2 else first)[start : start + 500] = 0
        (first if index % 2 else second)[start : start + 100] = 0
    result, _ = separate(Swapper(first, second, first), groups=[(0, 1)])
    torch.testing.assert_close(result[:2], torch.stack([first, second]), rtol=0, atol=1e-5)


def test_order_stays_where_nothing_speaks_against_it():
    same = VOICES[0]
    result, scores = separate(Swapper(same, same, same), groups=[(0, 1)])
    assert torch.allclose(result[0], same, atol=1e-5)
    assert scores[1] == pytest.approx([0.2, 0.1, 0.3])  # as the process gave them


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_groups_do_not_depend_on_blocks_or_batches(batch_size):
    def run(sizes):
        layout = WindowLayout(400, 0.25, batch_size)
        process = Swapper(*VOICES, VOICES[0])
        return joined(overlap_add(cut(torch.zeros(1, N), sizes), process, layout=layout, groups=[(0, 1)]))

    whole = run([N])
    assert torch.equal(run([1]), whole)
    assert torch.equal(run([37, 911]), whole)
    torch.testing.assert_close(whole[:2, 0], torch.stack(VOICES), rtol=0, atol=1e-5)


def test_an_output_may_be_in_one_group_only():
    with pytest.raises(ValueError, match="one group only"):
        joined(overlap_add([torch.zeros(1, 9)], identity, layout=WindowLayout(4), groups=[(0, 1), (1, 2)]))


def test_finished_pieces_say_nothing_about_scores_they_do_not_have():
    assert Finished(torch.zeros(1, 1, 0)).scores == ()
