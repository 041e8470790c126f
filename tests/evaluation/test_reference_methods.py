import dataclasses

import pytest
import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError, SettingsError
from unbraid.evaluation.metrics import sdr
from unbraid.evaluation.reference_classics import Hpss, Repet
from unbraid.evaluation.reference_masks import MaskKind, OracleMask, in_blocks, stft_of
from unbraid.evaluation.reference_methods import (
    FLOORS_AND_CEILINGS,
    METHODS,
    MixtureItself,
    ReferenceModel,
    Silence,
    find_reference,
)
from unbraid.evaluation.scoring import ask
from unbraid.guides.kinds import Label, Target
from unbraid.separation import Settings

RATE = 8000


def sounds(seconds: float = 1.0, seed: int = 0) -> dict[str, Tensor]:
    """A chord in stereo and hits of noise."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * RATE)) / RATE
    chord = sum(torch.sin(2 * torch.pi * 220 * k * time) / k for k in (1, 2, 3))
    hits = torch.zeros(2, len(time))
    for start in range(0, len(time) - 400, 2000):
        hits[:, start : start + 400] = torch.randn(2, 400, generator=generator)
    return {"bass": 0.3 * chord * torch.tensor([[1.0], [0.4]]), "drums": 0.3 * hits}


def question(found: dict[str, Tensor]) -> tuple[Audio, dict[str, Audio]]:
    mixture = Audio(torch.stack(list(found.values())).sum(dim=0), RATE)
    return mixture, {name: Audio(samples, RATE) for name, samples in found.items()}


def scores(method, found: dict[str, Tensor]) -> dict[str, float]:
    answers = method.separate(*question(found))
    return {name: float(sdr(estimate=answers[name].samples, reference=truth)) for name, truth in found.items()}


def test_the_floor_is_the_mixture_or_silence():
    mixture, references = question(sounds())
    assert torch.equal(MixtureItself().separate(mixture, references)["drums"].samples, mixture.samples)
    assert not Silence().separate(mixture, references)["drums"].samples.any()


def test_each_mask_may_do_more_than_the_one_before_and_all_more_than_the_floor():
    found = sounds()
    floor = scores(MixtureItself(), found)
    binary, ratio, whole = (scores(OracleMask(kind), found) for kind in MaskKind)
    for name in found:
        assert floor[name] + 8 < binary[name] < ratio[name] + 0.5
        assert ratio[name] + 8 < whole[name]


def test_binary_and_ratio_masks_of_two_sources_share_out_the_mixture():
    mixture, references = question(sounds())
    for kind in (MaskKind.BINARY, MaskKind.RATIO):
        answers = OracleMask(kind).separate(mixture, references)
        total = torch.stack([one.samples for one in answers.values()]).sum(dim=0)
        torch.testing.assert_close(total, mixture.samples, rtol=0, atol=1e-5)


def test_an_answer_does_not_depend_on_what_else_is_asked_for():
    mixture, references = question(sounds())
    for kind in MaskKind:
        both = OracleMask(kind).separate(mixture, references)["bass"]
        alone = OracleMask(kind).separate(mixture, {"bass": references["bass"]})["bass"]
        assert torch.equal(both.samples, alone.samples)


@pytest.mark.parametrize("kind", MaskKind)
@pytest.mark.parametrize("n_samples", [1, 700, 5000])
def test_masks_of_silence_and_of_short_signals_are_finite(kind: MaskKind, n_samples: int):
    generator = torch.Generator().manual_seed(1)
    mixture = Audio(torch.randn(1, n_samples, generator=generator), RATE)
    silence = Audio(torch.zeros(1, n_samples), RATE)
    answers = OracleMask(kind).separate(mixture, {"there": mixture, "not there": silence})
    assert not answers["not there"].samples.any()
    torch.testing.assert_close(answers["there"].samples, mixture.samples, rtol=0, atol=1e-5)
    assert not OracleMask(kind).separate(silence, {"bass": silence})["bass"].samples.any()


@pytest.mark.parametrize("n_frames", [1, 3, 8])
def test_blocks_give_what_the_whole_gives(n_frames: int):
    stft = stft_of(RATE, 0.03)
    signal = torch.randn(2, 12_345, generator=torch.Generator().manual_seed(2))

    def gate(block: Tensor) -> Tensor:
        spectrogram = stft(block)
        return stft.inverse((spectrogram.abs() > 8) * spectrogram, length=block.shape[-1])

    torch.testing.assert_close(in_blocks(signal, gate, stft=stft, n_frames=n_frames), gate(signal), rtol=0, atol=1e-5)


def test_harmonic_percussive_separation_finds_the_hits():
    pytest.importorskip("librosa", reason="needs the extra references")
    found = sounds(2.0)
    floor, reached = scores(MixtureItself(), found), scores(Hpss(), found)
    assert all(reached[name] > floor[name] + 6 for name in found)
    mixture, references = question(found)
    answers = Hpss().separate(mixture, references)
    torch.testing.assert_close(answers["bass"].samples + answers["drums"].samples, mixture.samples)


def test_repet_takes_what_repeats_for_background():
    pytest.importorskip("librosa", reason="needs the extra references")
    generator = torch.Generator().manual_seed(3)
    bar = torch.zeros(1, RATE // 2)
    bar[:, :1500] = torch.randn(1, 1500, generator=generator)
    accompaniment = 0.3 * bar.repeat(1, 12)
    time = torch.arange(accompaniment.shape[1]) / RATE
    melody = 0.3 * torch.sin(2 * torch.pi * torch.cumsum(400 + 150 * time, 0) / RATE)[None]
    found = {"vocals": melody, "drums": accompaniment}
    floor, reached = scores(MixtureItself(), found), scores(Repet(), found)
    assert all(reached[name] > floor[name] + 3 for name in found)
    assert (
        not Repet()
        .separate(Audio(torch.zeros(1, 9000), RATE), {"vocals": Audio(torch.zeros(1, 9000), RATE)})["vocals"]
        .samples.any()
    )


def test_who_knows_what():
    known = {method.name: set(ReferenceModel(method).vocabulary) for method in METHODS}
    assert all({"speech", "vocals", "accordion"} <= known[name] for name in FLOORS_AND_CEILINGS)
    assert {"drums", "bass", "piano"} <= known["hpss"]
    assert not {"speech", "sfx", "sfx-mix"} & known["hpss"]
    assert "speech" in known["repet"]
    assert "sfx" not in known["repet"]


def test_methods_are_found_by_name():
    assert [find_reference(method.name) for method in METHODS] == list(METHODS)
    assert find_reference("tuss-small") is None
    with pytest.raises(SettingsError, match="not a file of bases"):
        find_reference("nmf:nowhere.safetensors")


def test_fingerprints_tell_settings_apart():
    prints = [ReferenceModel(method).fingerprint for method in METHODS]
    longer = ReferenceModel(dataclasses.replace(METHODS[2], window_seconds=0.05)).fingerprint
    assert len({*prints, longer}) == len(METHODS) + 1
    assert ReferenceModel(find_reference("oracle-irm")).fingerprint in prints


def test_they_are_asked_like_a_model_and_handed_the_truth():
    found = sounds()
    mixture, _ = question(found)
    targets = [Target(name, Label(name)) for name in ("drums", "bass", "vocals")]
    truth = [found["drums"], found["bass"], None]
    model = ReferenceModel(find_reference("oracle-irm"))
    answer = ask(model, mixture, targets, settings=Settings(), truth=truth)
    assert answer.names == ("drums", "bass", "vocals")
    assert answer.presence == (None, None, None)
    assert float(sdr(estimate=answer.stems[0], reference=found["drums"])) > 8
    assert not answer.stems[2].any()
    with pytest.raises(SettingsError, match="0 true sources for 3 targets"):
        ask(model, mixture, targets, settings=Settings())


def test_a_repeated_prompt_gets_numbered_outputs_with_a_truth_each():
    generator = torch.Generator().manual_seed(5)
    one, other = torch.randn(2, 1, 4000, generator=generator)
    model = ReferenceModel(find_reference("oracle-cirm"))
    targets = [Target("sfx", Label("sfx"))] * 2
    answer = ask(model, Audio(one + other, RATE), targets, settings=Settings(), truth=[one, other])
    assert answer.names == ("sfx-1", "sfx-2")
    assert float(sdr(estimate=answer.stems[1], reference=other)) > 10


def test_what_a_method_does_not_know_is_refused():
    with pytest.raises(GuideError, match="hpss has no answer to 'speech'"):
        ReferenceModel(Hpss()).condition([Target("speech", Label("speech"))])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    import importlib

    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", absent)
    mixture, references = question(sounds())
    for method in (Hpss(), Repet()):
        with pytest.raises(SettingsError, match=r"librosa is not installed .*pip install 'unbraid\[references\]'"):
            method.separate(mixture, references)


def test_the_mixture_is_left_as_it_is():
    found = sounds()
    mixture, references = question(found)
    before = mixture.samples.clone()
    for name in FLOORS_AND_CEILINGS:
        find_reference(name).separate(mixture, references)["bass"].samples.zero_()
    assert torch.equal(mixture.samples, before)
