import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from unbraid.evaluation import bss_eval as module
from unbraid.evaluation import metrics
from unbraid.evaluation.bss_eval import BssScores, Framing, bss_eval, bss_eval_stream, sdr_chunks

STORED = np.load(Path(__file__).with_name("oracle_vectors.npz"))
CASES = json.loads(str(STORED["bss"]))
SMALL = Framing(window=300, hop=300, filter_length=16)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Estimates and references with leakage, an echo and noise."""
    reference = noise(*shape, seed=seed)
    leaked = reference + 0.2 * reference.roll(1, -3) + 0.1 * reference.roll(3, -1)
    return leaked + 0.1 * noise(*shape, seed=seed + 1), reference


def stored(name: str) -> tuple[Tensor, Tensor, Framing, np.ndarray]:
    signals = (torch.from_numpy(STORED[f"bss/{name}/{part}"]) / 32768 for part in ("estimate", "reference"))
    estimate, reference = (one.double() for one in signals)
    return estimate, reference, Framing(*CASES[name][3:]), STORED[f"bss/{name}/scores"]


@pytest.mark.parametrize("name", CASES)
def test_all_scores_are_those_of_museval_to_a_microdecibel(name: str):
    estimate, reference, framing, expected = stored(name)
    scores = bss_eval(estimate=estimate, reference=reference, framing=framing)
    for found, theirs in zip(scores, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), theirs.clip(-100, 100), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 2, 5000), (4, 1, 3000)])
def test_museval_itself_agrees_where_it_is_installed(shape: tuple[int, int, int]):
    theirs = pytest.importorskip("museval.metrics", reason="museval is not installed")
    estimate, reference = pair(*shape)
    arrays = [signal.transpose(1, 2).numpy() for signal in (reference, estimate)]
    expected = theirs.bss_eval(*arrays, window=1000, hop=700, compute_permutation=False)[:4]
    scores = bss_eval(estimate=estimate, reference=reference, framing=Framing(1000, 700))
    for found, one in zip(scores, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), one, rtol=0, atol=1e-6)


def test_the_sdr_of_chunks_is_that_of_bss_eval():
    for name in CASES:
        estimate, reference, framing, expected = stored(name)
        medians = np.nanmedian(expected[0].clip(-100, 100), axis=-1)
        found = sdr_chunks(estimate=estimate, reference=reference, framing=framing)
        np.testing.assert_allclose(found.numpy(), medians, rtol=0, atol=1e-9)


def test_medians_are_over_frames_that_are_defined():
    scores = BssScores(*[torch.tensor([[1.0, torch.nan, 4.0], [torch.nan] * 3])] * 4).median()
    assert scores.sdr[0] == 2.5
    assert scores.sar[1].isnan()


def test_leading_axes_are_items_of_their_own():
    estimate, reference = pair(3, 2, 2, 700)
    together = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
    assert together.sdr.shape == (3, 2, 2)
    alone = bss_eval(estimate=estimate[1], reference=reference[1], framing=SMALL)
    for one, all_of_them in zip(alone, together, strict=True):
        assert torch.equal(one, all_of_them[1])
    chunks = sdr_chunks(estimate=estimate, reference=reference, framing=SMALL)
    torch.testing.assert_close(chunks, together.median().sdr)


def test_each_fault_has_its_score():
    reference = noise(2, 1, 20_000)
    framing = Framing(20_000, 20_000, 32)
    filtered = reference + 0.1 * reference.roll(5, -1)
    leaked = reference + 0.1 * reference.flip(0)
    noisy = reference + 0.1 * noise(2, 1, 20_000, seed=7)
    isr, sir, sar = (bss_eval(estimate=one, reference=reference, framing=framing) for one in (filtered, leaked, noisy))
    for scores in (isr, sir, sar):
        torch.testing.assert_close(scores.sdr, torch.full_like(scores.sdr, 20), rtol=0, atol=0.2)
    torch.testing.assert_close(isr.isr, torch.full_like(isr.isr, 20), rtol=0, atol=0.2)
    assert isr.sir.min() > 40
    assert isr.sar.min() > 40
    torch.testing.assert_close(sir.sir, torch.full_like(sir.sir, 20), rtol=0, atol=0.2)
    assert sir.sar.min() > 60
    torch.testing.assert_close(sar.sar, torch.full_like(sar.sar, 20), rtol=0, atol=0.2)


def test_silence_anywhere_leaves_the_frame_out_for_all():
    estimate, reference = pair(2, 2, 900)
    for signal, frame in ((estimate, 0), (reference, 2)):
        signal[1, :, 300 * frame : 300 * (frame + 1)] = 0
    scores = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
    for score in scores:
        assert score.isnan().tolist() == [[True, False, True]] * 2
    reference[0] = 0
    for whole in bss_eval(estimate=estimate, reference=reference, framing=SMALL).median():
        assert whole.isnan().all()
    assert sdr_chunks(estimate=estimate, reference=reference, framing=SMALL).isnan().all()


def test_opposite_channels_are_no_silence():
    estimate, reference = pair(2, 2, 600)
    reference[0, 1] = -reference[0, 0]
    assert bss_eval(estimate=estimate, reference=reference, framing=SMALL).sdr.isfinite().all()


def test_references_that_depend_on_each_other_are_scored():
    reference = noise(1, 1, 3000).expand(2, 2, -1).clone()
    estimate = reference + 0.1 * noise(2, 2, 3000, seed=4)
    scores = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
    torch.testing.assert_close(scores.sdr, torch.full_like(scores.sdr, 20), rtol=0, atol=2)
    tone = torch.sin(torch.arange(3000, dtype=torch.float64) / 9).expand(2, 1, -1).clone()
    tone[1] = torch.cos(torch.arange(3000, dtype=torch.float64) / 9)
    for score in bss_eval(estimate=0.9 * tone, reference=tone, framing=SMALL):
        assert score.isfinite().all()


def test_levels_of_references_do_not_matter_to_the_filters():
    estimate, reference = pair(2, 1, 900)
    quiet = torch.tensor([1.0, 1e-4], dtype=torch.float64)[:, None, None]
    loud = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
    mixed = bss_eval(estimate=estimate * quiet, reference=reference * quiet, framing=SMALL)
    for one, other in zip(loud, mixed, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_a_stream_gives_the_same_in_blocks_whose_size_does_not_grow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_FIT_SIZE", 512)
    monkeypatch.setattr(module, "_APPLY_SIZE", 512)
    largest = {}
    for n_samples in (20_000, 200_000):
        estimate, reference = pair(2, 1, n_samples)
        sizes = []

        def read(
            start: int, stop: int, signals: tuple[Tensor, Tensor] = (estimate, reference), sizes: list[int] = sizes
        ) -> tuple[Tensor, Tensor]:
            assert 0 <= start < stop <= signals[0].shape[-1]
            sizes.append(stop - start)
            return signals[0][..., start:stop], signals[1][..., start:stop]

        streamed = bss_eval_stream(read, n_samples=n_samples, framing=SMALL)
        whole = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
        for one, other in zip(streamed, whole, strict=True):
            assert torch.equal(one, other)
        largest[n_samples] = max(sizes)
    assert largest[20_000] == largest[200_000] < 10_000


def test_blocks_of_the_real_sizes_stay_below_some_seconds():
    """What is held at a time when hours are scored: a few seconds, of which frames make the larger part."""
    sizes = []

    class Enough(Exception):  # noqa: N818
        pass

    def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
        sizes.append(stop - start)
        if start > 600_000:
            raise Enough
        return torch.ones(1, 1, stop - start), torch.ones(1, 1, stop - start)

    with pytest.raises(Enough):
        bss_eval_stream(read, n_samples=8 * 3600 * 44_100)
    assert max(sizes) < 4 * 44_100


def test_blocks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch):
    estimate, reference = pair(2, 2, 4000)
    whole = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
    for fit, apply, together in ((64, 64, 1), (128, 1024, 3), (1 << 15, 1 << 15, 50)):
        monkeypatch.setattr(module, "_FIT_SIZE", fit)
        monkeypatch.setattr(module, "_APPLY_SIZE", apply)
        monkeypatch.setattr(module, "BLOCKS_AT_ONCE", together)
        monkeypatch.setattr(module, "FRAMES_AT_ONCE", together)
        again = bss_eval(estimate=estimate, reference=reference, framing=SMALL)
        for one, other in zip(whole, again, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="give both as"):
        bss_eval(estimate=noise(2, 9), reference=noise(2, 9))
    with pytest.raises(ValueError, match="give both as"):
        bss_eval(estimate=noise(2, 1, 9), reference=noise(2, 1, 10))
    with pytest.raises(ValueError, match="no samples"):
        bss_eval(estimate=noise(2, 1, 0), reference=noise(2, 1, 0))
    with pytest.raises(ValueError, match="differ in shape"):
        sdr_chunks(estimate=noise(1, 1, 9), reference=noise(1, 1, 10))
    with pytest.raises(ValueError, match="one sample or more"):
        Framing(window=0)


def test_all_metrics_are_found_in_one_place():
    assert metrics.bss_eval is bss_eval
    assert metrics.sdr_chunks is sdr_chunks
    assert all(hasattr(metrics, name) for name in metrics.__all__)
