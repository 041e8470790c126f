"""GuideSep against stored vectors: our own, and those of the published implementation where they are at hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from unbraid.audio.mel import mel_filter_bank
from unbraid.audio.stft import Stft
from unbraid.evaluation.metrics import sdr_bss_eval, si_sdr, snr
from unbraid.models.diffusion import Multistep, NoiseConfig, denoise, denoising_loss, euler, karras_sigmas, precondition
from unbraid.models.guidesep import magnitude_loss, to_peak
from unbraid.models.guidesep_conditions import Dropped, Given, as_channels, compress, expand
from unbraid.models.guidesep_network import TwinUnet
from unbraid.models.published_guidesep import build_guidesep, read_shape, translate_all

sys.path.insert(0, str(Path(__file__).parent))
from make_guidesep_vectors import CASES, SETTINGS, VECTORS

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "guidesep"
TOLERANCE = 1e-4

golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the vectors of the published implementation are not here")


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate - reference).abs().max() / reference.abs().max())


def published(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("w."): value for key, value in tensors.items() if key.startswith("w.")}


def load_golden(name: str) -> tuple[dict, dict[str, Tensor]]:
    path = GOLDEN / f"{name}.safetensors"
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["config"]), load_file(path)


@golden
def test_golden_frontend():
    _, content = load_golden("frontend")
    stft = Stft(510, 256, window="hann", reflect=True)
    spectrogram = stft(content["in.wav"]) * 510**-0.5
    assert relative(torch.view_as_real(spectrogram), content["out.stft"]) < TOLERANCE
    # Of the stored spectrogram: a power of 0.2 would blow up the rounding of this processor's FFT in the faintest bins.
    compressed = compress(torch.view_as_complex(content["out.stft"]), exponent=0.2, scale=0.6)
    assert relative(torch.view_as_real(compressed), content["out.compressed"]) < TOLERANCE
    whole = expand(torch.view_as_complex(content["out.compressed"]), exponent=0.2, scale=0.6)
    waveform = stft.inverse(whole * 510**0.5, length=content["in.wav"].shape[-1])
    assert relative(waveform, content["out.roundtrip_wav"]) < TOLERANCE
    bank = mel_filter_bank(sample_rate=16000, n_fft=510, n_mels=80, scale="htk")
    assert relative(bank.T, content["out.mel_fb"]) < TOLERANCE
    mel = bank @ spectrogram[0].abs()
    assert relative(mel / mel.max(), content["out.mel"]) < TOLERANCE


@golden
def test_golden_twin_unet():
    config, content = load_golden("twin_unet")
    model = build_guidesep(published(content), config, name="twin")
    noisy = content["in.x_in"]
    given = Given(
        content["in.mixture_ri"], content["in.mimicry_mag"][:, 0], content["in.mel_pos"], content["in.mel_neg"]
    )
    nothing = torch.zeros(2, dtype=torch.bool)
    dropped = Dropped(nothing, nothing, content["in.drop_pos"].bool(), content["in.drop_neg"].bool())
    condition = model.channels(given, noisy, dropped=dropped)
    projected = torch.stack([model.projection(content[f"in.mel_{sign}"]) for sign in ("pos", "neg")], dim=1)
    assert relative(projected, content["out.mel_proj"]) < TOLERANCE
    assert relative(condition, content["out.inj"]) < TOLERANCE
    told = content["in.c_noise"]
    assert relative(model.network(noisy, condition, noise=told), content["out.F"]) < TOLERANCE
    assert relative(model.network(noisy, None, noise=told), content["out.F_no_cond"]) < TOLERANCE


@golden
def test_golden_denoiser():
    config, content = load_golden("edm_denoiser")
    tensors = published(content)
    network = TwinUnet(read_shape(tensors, config))
    network.load_state_dict({key.removeprefix("network."): value for key, value in translate_all(tensors).items()})
    sigma, noisy, condition = content["in.sigma"], content["in.x_noisy"], content["in.inj"]
    scalings = precondition(sigma, data=config["sigma_data"])
    for value, name in zip(scalings, ("c_skip", "c_out", "c_in", "c_noise"), strict=True):
        assert relative(value, content[f"out.{name}"]) < TOLERANCE
    scaled = scalings.input[:, None, None, None] * noisy
    assert relative(network(scaled, condition, noise=scalings.noise), content["out.F"]) < TOLERANCE
    for limit, name in ((1.0, "D"), (None, "D_unclamped")):
        denoised = denoise(lambda x, told: network(x, condition, noise=told), noisy, sigma, data=0.2, limit=limit)
        assert relative(denoised, content[f"out.{name}"]) < TOLERANCE
    one = torch.ones(len(sigma), 2)
    weight = denoising_loss(estimate=one, reference=0 * one, sigma=sigma, data=0.2)
    assert relative(weight, content["out.loss_weight"]) < TOLERANCE
    loss = denoising_loss(estimate=content["out.D"], reference=content["in.clean"], sigma=sigma, data=0.2)
    assert relative(loss, content["out.loss_per_item"]) < TOLERANCE


SOLVERS = {
    "published": Multistep(),
    "order1_x0": Multistep(predicts_noise=False),
    "order2_eps": Multistep(order=2),
    "order3_x0": Multistep(order=3, predicts_noise=False),
}


@golden
@pytest.mark.parametrize("kind", ["lin", "clampD"])
@pytest.mark.parametrize(("name", "solver"), [*SOLVERS.items(), ("published", euler)])
def test_golden_solvers(name, solver, kind):
    _, content = load_golden("sampler_toy")
    noise, spread = NoiseConfig(), 0.2 if kind == "lin" else 1.0
    sigmas = karras_sigmas(8, noise)
    assert relative(karras_sigmas(8, noise, to_zero=True), content["out.sigmas"]) < TOLERANCE
    seen = []

    def denoiser(noisy: Tensor, sigma: Tensor) -> Tensor:
        seen.append((noisy, sigma))
        denoised = noisy * spread**2 / (spread**2 + sigma**2)
        return denoised.clamp(-1, 1) if kind == "clampD" else denoised

    final = solver(denoiser, sigmas[0] * content["in.noise"], sigmas).clamp(-1, 1)
    inputs, levels = zip(*seen, strict=True)
    key = f"out.{name}.{kind}"
    assert relative(torch.stack(levels), content[f"{key}.model_sigma"]) < TOLERANCE
    for mine, theirs in zip(inputs, content[f"{key}.model_in"], strict=True):
        assert relative(mine, theirs) < TOLERANCE
    assert relative(final, content[f"{key}.final"]) < TOLERANCE


@golden
def test_golden_mask_baseline():
    config, content = load_golden("mask_baseline")
    model = build_guidesep(published(content), config, name="mask")
    given = Given(None, content["in.mimicry_mag"][:, 0], content["in.mel_pos"], content["in.mel_neg"])
    condition = model.channels(given, content["in.mix_mag"])
    assert relative(condition, content["out.inj"]) < TOLERANCE
    assert relative(model.estimate_magnitude(content["in.mix_mag"], condition), content["out.est_mag"]) < TOLERANCE
    loss = magnitude_loss(estimate=content["out.est_mag"], reference=content["in.tgt_mag"])
    assert relative(loss, content["out.train_loss"]) < TOLERANCE


@golden
def test_golden_metrics():
    _, content = load_golden("metrics")
    signals = {"estimate": to_peak(content["in.est"]), "reference": content["in.target"]}
    assert relative(sdr_bss_eval(**signals)[0].float(), content["out.sdr"]) < TOLERANCE
    assert relative(snr(**signals).float(), content["out.snr"]) < TOLERANCE
    centered = {name: signal - signal.mean() for name, signal in signals.items()}
    assert relative(si_sdr(**centered).float(), content["out.si_snr"]) < TOLERANCE


@pytest.mark.parametrize("name", sorted(CASES))
def test_stored_vectors(name):
    content = load_file(VECTORS / f"{name}.safetensors")
    model = build_guidesep(published(content), SETTINGS, name=name)
    mixture, mimicry = content["in.waves"]
    given = model.listen(mixture, mimicry, content["in.positive"], None)
    if CASES[name].noisy:
        spectrogram = model.analyze(mixture)
        assert relative(spectrogram, as_channels(compress(model.transform(mixture), exponent=0.2, scale=0.6))) == 0
    else:
        spectrogram = model.transform(mixture).abs()[:, None]
    condition = model.channels(given, spectrogram)
    assert relative(condition, content["out.condition"]) < TOLERANCE
    if CASES[name].noisy:
        estimate = model.denoise(spectrogram, condition, torch.tensor([0.1, 3.0]))
        assert relative(model.sample(condition, spectrogram), content["out.sampled"]) < 1e-4
    else:
        estimate = model.estimate_magnitude(spectrogram, condition)
    assert relative(estimate, content["out.estimate"]) < TOLERANCE
