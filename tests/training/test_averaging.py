import pytest
import torch
from torch import nn

from unbraid.errors import RecipeError
from unbraid.training.averaging import MovingAverage, mean_weights
from unbraid.training.checkpoints import Epoch, save_weights_of_epoch


def kept(folder, number, **weights):
    path = folder / f"epoch-{number:05d}.safetensors"
    save_weights_of_epoch(path, weights, Epoch(number, 0.0, path.name))
    return path


def test_mean_weights_is_the_plain_mean(tmp_path):
    paths = [
        kept(tmp_path, number, a=torch.full((2,), float(number)), count=torch.tensor([number])) for number in (1, 2, 6)
    ]
    mean = mean_weights(paths)
    assert torch.equal(mean["a"], torch.full((2,), 3.0))
    assert mean["a"].dtype == torch.float32
    assert mean["count"].tolist() == [1]  # integers are not averaged, and not summed either


def test_mean_of_one_epoch_is_that_epoch(tmp_path):
    assert torch.equal(mean_weights([kept(tmp_path, 1, a=torch.tensor([0.1]))])["a"], torch.tensor([0.1]))


def test_mean_refuses_nothing_and_epochs_of_different_networks(tmp_path):
    with pytest.raises(RecipeError, match="no weights to average"):
        mean_weights([])
    first = kept(tmp_path, 1, a=torch.zeros(2))
    for number, other in ((2, {"a": torch.zeros(3)}), (3, {"b": torch.zeros(2)})):
        with pytest.raises(RecipeError, match="another network"):
            mean_weights([first, kept(tmp_path, number, **other)])


def test_moving_average_follows_its_formula():
    module = nn.Linear(1, 1, bias=False)
    average = MovingAverage(module, 0.5)
    expected = module.weight.item()
    for n_updates, value in enumerate((1.0, 3.0, -2.0)):
        nn.init.constant_(module.weight, value)
        average.update(module, n_updates=n_updates)
        decay = min(0.5, (1 + n_updates) / (10 + n_updates))
        expected = decay * expected + (1 - decay) * value
        assert float(average.weights["weight"]) == pytest.approx(expected)
    assert module.weight.item() == -2.0


def test_moving_average_copies_integers_and_loads_what_was_stored():
    module = nn.BatchNorm1d(2)
    average = MovingAverage(module, 0.9)
    module(torch.randn(4, 2))
    average.update(module, n_updates=0)
    assert int(average.weights["num_batches_tracked"]) == 1
    other = MovingAverage(nn.BatchNorm1d(2), 0.9)
    other.load(average.weights)
    assert torch.equal(other.weights["running_mean"], average.weights["running_mean"])
