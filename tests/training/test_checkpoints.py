import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unbraid.errors import RecipeError
from unbraid.training.checkpoints import (
    BEST,
    LAST,
    Checkpoint,
    Epoch,
    Progress,
    best_files,
    load_checkpoint,
    load_weights,
    optimizer_tensors,
    random_states,
    restore_optimizer,
    restore_random,
    save_checkpoint,
    save_weights_of_epoch,
)
from unbraid.training.schedule import PlateauState
from unbraid.training.stopping import PatienceState


def trained():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        model(torch.randn(5, 3)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def checkpoint_of(model, optimizer, **changes):
    best = [Epoch(1, -2.5, "epoch-00001.safetensors")]
    progress = Progress(7, 2, 3.5, 90.0, best, PlateauState(1.5, 3, 0.25), PatienceState(1.25, 4))
    parts = {
        "progress": progress,
        "weights": model.state_dict(),
        "average": {},
        "optimizer": optimizer_tensors(optimizer, model),
        "random": random_states(),
    }
    return Checkpoint(**{**parts, **changes})


def test_checkpoints_of_before_there_was_patience_are_read():
    values = asdict(Progress(step=5))
    del values["patience"]
    assert Progress.from_dict(json.loads(json.dumps(values))) == Progress(step=5)


def test_everything_comes_back_to_the_bit(tmp_path):
    model, optimizer = trained()
    before = checkpoint_of(model, optimizer, average={"0.weight": torch.ones(4, 3)})
    save_checkpoint(tmp_path / LAST, before)
    after = load_checkpoint(tmp_path / LAST)
    assert after.progress == before.progress
    for group in ("weights", "average", "optimizer", "random"):
        stored, given = getattr(after, group), getattr(before, group)
        assert stored.keys() == given.keys()
        assert all(torch.equal(stored[name], given[name]) for name in given)


def test_optimizer_and_generators_continue_as_if_never_stopped(tmp_path):
    model, optimizer = trained()
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer))
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=0.1)
    torch.randn(99)
    stored = load_checkpoint(tmp_path / LAST)
    other.load_state_dict(stored.weights)
    restore_optimizer(other_optimizer, other, stored.optimizer)
    results = []
    for one, its_optimizer in ((model, optimizer), (other, other_optimizer)):
        restore_random(stored.random)
        one(torch.randn(5, 3)).square().mean().backward()
        its_optimizer.step()
        results.append(torch.cat([value.flatten() for value in one.parameters()]))
    assert torch.equal(*results)


def test_moments_of_another_network_are_refused():
    model, optimizer = trained()
    with pytest.raises(RecipeError, match="another network"):
        restore_optimizer(optimizer, model, {"9.weight/exp_avg": torch.zeros(1)})


def test_a_failed_write_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    model, optimizer = trained()
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer))
    whole = (tmp_path / LAST).read_bytes()

    def full_disk(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unbraid.training.checkpoints.save_file", full_disk)
    with pytest.raises(RecipeError, match=r"No space left.*make room"):
        save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer))
    assert (tmp_path / LAST).read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


def test_headers_are_json(tmp_path):
    model, optimizer = trained()
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer, progress=Progress()))
    data = (tmp_path / LAST).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    json.loads(header["__metadata__"]["progress"], parse_constant=pytest.fail)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / LAST
    with pytest.raises(RecipeError, match="no such checkpoint"):
        load_checkpoint(path)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    with pytest.raises(RecipeError, match="is damaged"):
        load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(RecipeError, match="is not a checkpoint"):
        load_checkpoint(path)
    save_weights_of_epoch(path, {"a": torch.zeros(1)}, Epoch(0, 1.0, LAST))
    with pytest.raises(RecipeError, match="is not a checkpoint"):
        load_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    model, optimizer = trained()
    path = tmp_path / LAST
    save_checkpoint(path, checkpoint_of(model, optimizer))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RecipeError, match="is damaged"):
        load_checkpoint(path)


def test_weights_prefer_the_moving_average(tmp_path):
    model, optimizer = trained()
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer))
    assert torch.equal(load_weights(tmp_path / LAST)["0.weight"], model[0].weight)
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer, average={"0.weight": torch.ones(4, 3)}))
    assert torch.equal(load_weights(tmp_path / LAST)["0.weight"], torch.ones(4, 3))


def test_best_files_are_listed_best_first(tmp_path):
    model, optimizer = trained()
    best = [Epoch(3, -9.0, "epoch-00003.safetensors"), Epoch(1, -2.0, "epoch-00001.safetensors")]
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer, progress=Progress(best=best)))
    assert best_files(tmp_path) == [tmp_path / BEST / one.file for one in best]
    save_checkpoint(tmp_path / LAST, checkpoint_of(model, optimizer, progress=Progress()))
    with pytest.raises(RecipeError, match="train longer"):
        best_files(tmp_path)
