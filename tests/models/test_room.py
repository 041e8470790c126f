"""Room for a sound: what is compared, at which level, and what silence and gaps do."""

import pytest
import torch

from unbraid.models.layers.room import N_BANDS, Envelope, judge_room, room, room_evidence, unit


def shares(*energies):
    """Envelopes of eight bands and zeros."""
    return unit(torch.nn.functional.pad(torch.tensor(energies), (0, N_BANDS - 8)))


FLAT = shares(1.0, 1, 1, 1, 1, 1, 1, 1)
LOW = shares(8.0, 8, 4, 2, 0, 0, 0, 0)
HIGH = shares(0.0, 0, 0, 0, 2, 4, 8, 8)


def test_a_sound_has_room_where_all_of_its_bands_sound():
    assert float(room(sound=LOW, place=LOW)) == pytest.approx(0, abs=1e-5)
    assert float(room(sound=LOW, place=unit(LOW + HIGH))) == pytest.approx(-0.301, abs=0.01)  # half of the energy
    assert float(room(sound=LOW, place=HIGH)) < -2
    assert float(room(sound=FLAT, place=LOW)) < float(room(sound=LOW, place=FLAT)) - 1


def test_the_bands_with_least_room_decide_as_far_as_they_hold_a_tenth_of_the_sound():
    gap = shares(8.0, 8, 4, 0, 2, 0, 0, 0)
    faint = shares(8.0, 8, 4, 0.02, 0, 0, 0, 0)
    assert float(room(sound=LOW, place=gap)) < -1.5  # the fourth band holds a tenth
    assert float(room(sound=faint, place=gap)) > -0.2


def test_nothing_jumps_where_bands_change_places():
    place = FLAT.repeat(201, 1)
    place[:, 2] *= torch.linspace(0.9, 1.1, 201)
    found = room(sound=LOW.expand_as(place), place=unit(place))
    assert float(found.diff().abs().max()) < 2e-3


@pytest.mark.parametrize("silent", ["sound", "place"])
def test_silence_is_finite(silent):
    envelopes = {"sound": LOW, "place": HIGH} | {silent: torch.zeros(N_BANDS)}
    assert -5.5 < float(room(**envelopes)) <= 0


def test_evidence_minds_no_level_but_that_of_the_estimate():
    levels = torch.tensor([[-1.0, 0.0]])
    given = {"examples": torch.stack([LOW, HIGH]), "mixture": FLAT[None], "estimate": torch.stack([LOW, FLAT])[None]}
    found = room_evidence(level=levels, **given)
    louder = room_evidence(level=levels, **{name: 100 * one for name, one in given.items()})
    torch.testing.assert_close(found, louder, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[..., 0], levels)
    assert found.shape == (1, 2, 3)
    assert float(found[0, 0, 2]) < -1  # half of the bands of the mixture are not in the estimate
    assert float(found[0, 1, 2]) == pytest.approx(0, abs=1e-5)


def test_evidence_is_weighed():
    logits = judge_room(torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), (1.0, 10.0, -100.0, 5.0))
    assert logits.tolist() == [-274.0, 5.0]


def test_an_envelope_is_the_mean_of_frames_and_channels():
    bands = Envelope(22050, 1024)
    spectrogram = torch.randn(3, 2, 513, 7, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    found = bands(spectrogram)
    apart = torch.stack([bands(spectrogram[:, i : i + 1, :, j : j + 1]) for i in range(2) for j in range(7)])
    torch.testing.assert_close(found, apart.mean(dim=0))
    assert found.shape == (3, N_BANDS)
    assert not list(bands.state_dict())
