import json
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from unbraid.errors import RecipeError
from unbraid.training import loop
from unbraid.training.averaging import mean_weights
from unbraid.training.checkpoints import BEST, LAST, best_files, load_checkpoint
from unbraid.training.log import LOG
from unbraid.training.loop import Place, train
from unbraid.training.recipe import AdamW, Recipe, Validation
from unbraid.training.schedule import Decay, Plateau, Schedule, linear
from unbraid.training.stopping import Patience

CPU = Place("cpu")


class Batch(NamedTuple):
    mixture: Tensor
    target: Tensor
    words: list[tuple[str, ...]]


class Source:
    """Batch k is a pure function of k."""

    def __getitem__(self, index):
        noise = torch.randn(2, 16, generator=torch.Generator().manual_seed(index))
        return Batch(noise, noise.roll(1, dims=-1), [("a", "b")] * 2)


class Network(nn.Module):
    """With dropout, so that the generator of the run matters."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 24), nn.Dropout(0.3), nn.Tanh(), nn.Linear(24, 16))
        self.unused = nn.Parameter(torch.zeros(3))

    def forward(self, mixture):
        return self.layers(mixture)


def loss(model, batch):
    assert batch.words == [("a", "b")] * 2
    value = (model(batch.mixture) - batch.target).square().mean()
    return value, {"rms": batch.mixture.square().mean().sqrt()}


def score(model, batch):
    assert not model.training
    return {"loss": (model(batch.mixture) - batch.target).square().mean(dim=-1).tolist()}


RECIPE = Recipe(
    model=Network,
    batches=Source,
    loss=loss,
    sample_rate=8,
    steps=20,
    schedule=Schedule(peak=0.01, warmup_steps=4),
    epoch_steps=5,
    precision="fp32",
    n_workers=0,
    log_steps=2,
    validation=Validation(lambda: {"one": [Source()[1000]], "two": [Source()[1001], Source()[1002]]}, score),
)


def log_of(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"precision": "bf16"},
        {"accumulation": 3, "average": 0.9},
        {"n_workers": 2},
        {"schedule": Schedule(peak=0.01, warmup_steps=3, decay=Decay(linear, steps=20)), "validation": None},
        {"schedule": Schedule(peak=0.3, warmup_steps=0, plateau=Plateau(patience=0, keep_epochs=0))},
        {"patience": Patience(epochs=4, min_delta=10.0)},
    ],
)
def test_a_resumed_run_equals_one_that_never_stopped_to_the_bit(tmp_path, change):
    recipe = replace(RECIPE, **change)
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    assert train(recipe, straight, place=CPU).finished
    first = train(replace(recipe, steps=10), halves, place=CPU)
    torch.manual_seed(99)
    torch.randn(7)
    second = train(recipe, halves, place=CPU, resume=True)
    assert (first.steps, second.steps, second.finished) == (10, 10, True)
    one, other = load_checkpoint(straight / LAST), load_checkpoint(halves / LAST)
    for group in ("weights", "average", "optimizer", "random"):
        assert same(getattr(one, group), getattr(other, group)), group
    assert replace(one.progress, seconds=0) == replace(other.progress, seconds=0)
    for a, b in zip(log_of(straight), log_of(halves), strict=True):
        timed = {"seconds", "audio_rate", "data_wait"}
        assert {name: a[name] for name in a if name not in timed} == {name: b[name] for name in b if name not in timed}


def test_training_lowers_the_loss_and_prints_its_rate(tmp_path):
    entries = []
    outcome = train(replace(RECIPE, steps=200), tmp_path, place=CPU, report=entries.append)
    validated = [entry["val/loss"] for entry in entries if "val/loss" in entry]
    assert len(validated) == 40
    assert validated[-1] < 0.8 * validated[0]
    assert outcome.progress.audio_seconds == 200 * 2 * 16 / 8
    assert outcome.audio_rate > 0
    steps = [entry for entry in entries if "loss" in entry]
    assert [entry["step"] for entry in steps] == list(range(2, 201, 2))
    for name in ("rms", "learning_rate", "grad_norm", "audio_rate", "data_wait", "skipped", "seconds"):
        assert all(math.isfinite(entry[name]) for entry in steps)
    assert [entry["step"] for entry in log_of(tmp_path)] == [entry["step"] for entry in entries]


def test_validation_is_the_unweighted_mean_over_datasets(tmp_path):
    train(replace(RECIPE, steps=5), tmp_path, place=CPU)
    (entry,) = [entry for entry in log_of(tmp_path) if "val/loss" in entry]
    assert entry["epoch"] == 0
    assert entry["val/loss"] == pytest.approx((entry["val/one/loss"] + entry["val/two/loss"]) / 2, rel=1e-4)


def test_the_first_step_has_no_effect_and_the_warm_up_is_logged(tmp_path):
    train(replace(RECIPE, steps=1, optimizer=AdamW(weight_decay=0.5)), tmp_path, place=CPU)
    torch.manual_seed(RECIPE.seed)
    assert same(load_checkpoint(tmp_path / LAST).weights, Network().state_dict())
    train(replace(RECIPE, log_steps=1, steps=6), tmp_path, place=CPU, resume=True)
    rates = [entry["learning_rate"] for entry in log_of(tmp_path) if "loss" in entry]
    assert rates == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01])


def test_accumulated_batches_equal_one_large_batch(tmp_path):
    class Large:
        def __getitem__(self, index):
            parts = [Source()[2 * index], Source()[2 * index + 1]]
            return Batch(*(torch.cat(signals) for signals in list(zip(*parts, strict=True))[:2]), [("a", "b")] * 2)

    class Plain(Network):
        def __init__(self):
            super().__init__()
            self.layers[1] = nn.Identity()

    recipe = replace(RECIPE, model=Plain, steps=4, validation=None)
    train(replace(recipe, accumulation=2), tmp_path / "small", place=CPU)
    train(replace(recipe, batches=Large), tmp_path / "large", place=CPU)
    small, large = (load_checkpoint(tmp_path / name / LAST).weights for name in ("small", "large"))
    for name in small:
        torch.testing.assert_close(small[name], large[name])


def test_gradients_are_clipped_over_all_parameters(tmp_path, monkeypatch):
    norms = []

    def update(run, rate):
        norms.append(torch.stack([p.grad.norm() for p in run.model.parameters() if p.grad is not None]).norm().item())

    monkeypatch.setattr(loop.Run, "_update", update)
    train(replace(RECIPE, steps=3, clip=1e-3, validation=None), tmp_path, place=CPU)
    assert norms == pytest.approx([1e-3] * 3, rel=1e-2)


def faulty(broken):
    """A loss that is not finite for some batches."""
    calls = []

    def one(model, batch):
        calls.append(None)
        value, numbers = loss(model, batch)
        return value * (math.nan if broken(len(calls) - 1) else 1.0), numbers

    return one


def test_steps_without_a_finite_gradient_change_nothing(tmp_path):
    recipe = replace(RECIPE, schedule=Schedule(peak=0.01, warmup_steps=0), validation=None, steps=3, log_steps=3)
    recipe = replace(recipe, model=lambda: nn.Sequential(nn.Linear(16, 16)), loss=faulty(lambda call: call == 2))
    train(replace(recipe, steps=2), tmp_path, place=CPU)
    before = load_checkpoint(tmp_path / LAST)
    outcome = train(recipe, tmp_path, place=CPU, resume=True)
    after = load_checkpoint(tmp_path / LAST)
    assert same(before.weights, after.weights)
    assert same(before.optimizer, after.optimizer)
    assert (outcome.progress.step, outcome.progress.skipped) == (3, 1)
    train(replace(recipe, steps=6), tmp_path, place=CPU, resume=True)
    assert not same(before.weights, load_checkpoint(tmp_path / LAST).weights)
    last = log_of(tmp_path)[-1]
    assert last["skipped"] == 1
    assert last["loss"] is not None


def test_a_run_that_stays_broken_ends_with_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MAX_SKIPPED_IN_A_ROW", 3)
    recipe = replace(RECIPE, loss=faulty(lambda call: call >= 5))
    with pytest.raises(RecipeError, match="not finite in 3 steps in a row, at step 7: lower the learning rate"):
        train(recipe, tmp_path, place=CPU)
    assert load_checkpoint(tmp_path / LAST).progress.step == 5  # the last good state, of the end of the epoch


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_after_the_step_with_a_checkpoint(tmp_path, number):
    def interrupted(model, batch):
        if torch.equal(batch.mixture, Source()[6].mixture):
            signal.raise_signal(number)
        return loss(model, batch)

    handler = signal.getsignal(number)
    outcome = train(replace(RECIPE, loss=interrupted, n_workers=1), tmp_path, place=CPU)
    assert signal.getsignal(number) is handler
    assert (outcome.finished, outcome.progress.step) == (False, 7)
    assert load_checkpoint(tmp_path / LAST).progress.step == 7


def test_minutes_end_a_session_and_resuming_ends_the_run(tmp_path):
    recipe = replace(RECIPE, steps=None, validation=None, schedule=Schedule(decay=Decay(minutes=0.5 / 60)))
    first = train(recipe, tmp_path, minutes=0.2 / 60, place=CPU)
    assert (first.finished, first.steps > 0) == (False, True)
    assert load_checkpoint(tmp_path / LAST).progress.seconds >= 0.2
    second = train(recipe, tmp_path, place=CPU, resume=True)
    assert second.finished
    assert second.progress.seconds >= 0.5
    assert train(recipe, tmp_path, place=CPU, resume=True).steps == 0


def test_checkpoints_are_written_on_the_clock(tmp_path):
    seen = []

    def look(model, batch):
        seen.append((tmp_path / LAST).exists())
        return loss(model, batch)

    train(replace(RECIPE, loss=look, checkpoint_minutes=1e-9, validation=None, steps=2), tmp_path, place=CPU)
    assert seen == [False, True]


def test_the_best_epochs_are_kept_and_averaged(tmp_path):
    values = iter([5.0, 1.0, 4.0, math.nan, 2.0, 3.0])
    validation = Validation(lambda: {"one": [Source()[0]]}, lambda model, batch: {"loss": [next(values)]})
    recipe = replace(RECIPE, validation=validation, n_best=2, keep_every=3, epoch_steps=2, steps=12)
    outcome = train(recipe, tmp_path, place=CPU)
    assert [(one.epoch, one.loss) for one in outcome.progress.best] == [(1, 1.0), (4, 2.0)]
    names = sorted(path.name for path in (tmp_path / BEST).iterdir())
    assert names == [f"epoch-0000{number}.safetensors" for number in (1, 2, 4, 5)]
    model = Network()
    model.load_state_dict(mean_weights(best_files(tmp_path)))


def test_milestones_are_kept_without_validation(tmp_path):
    train(replace(RECIPE, validation=None, keep_every=2, epoch_steps=2, steps=9), tmp_path, place=CPU)
    names = sorted(path.name for path in (tmp_path / BEST).iterdir())
    assert names == ["epoch-00001.safetensors", "epoch-00003.safetensors"]


def test_the_plateau_lowers_the_rate(tmp_path):
    validation = Validation(lambda: {"one": [Source()[0]]}, lambda model, batch: {"loss": [1.0]})
    schedule = Schedule(peak=0.01, warmup_steps=0, plateau=Plateau(patience=1, keep_epochs=0))
    train(replace(RECIPE, validation=validation, schedule=schedule, epoch_steps=2, log_steps=1), tmp_path, place=CPU)
    rates = [entry["learning_rate"] for entry in log_of(tmp_path) if "loss" in entry]
    assert rates == pytest.approx([0.01] * 8 + [0.005] * 4 + [0.0025] * 4 + [0.00125] * 4)


@pytest.mark.parametrize("stops", [[], [1], [3, 8], [6, 7]])
def test_a_run_without_improvement_gives_up_wherever_it_was_stopped(tmp_path, stops):
    losses = [5.0, 3.0, 2.95, math.nan, 2.5, 2.45, 2.6, 2.41, 1.0]
    seen = []  # by epoch, as a resumed run goes on with the next one

    def look(model, batch):
        seen.append(losses[len(seen)])
        return {"loss": seen[-1:]}

    validation = Validation(lambda: {"one": [Source()[0]]}, look)
    recipe = replace(RECIPE, validation=validation, patience=Patience(3, min_delta=0.1), epoch_steps=2, steps=40)
    for stop in stops:
        assert not train(replace(recipe, steps=stop), tmp_path, place=CPU, resume=True).gave_up
    outcome = train(recipe, tmp_path, place=CPU, resume=True)
    assert (outcome.finished, outcome.gave_up, outcome.progress.step) == (True, True, 16)
    assert [entry["bad_epochs"] for entry in log_of(tmp_path) if "epoch" in entry] == [0, 0, 1, 2, 0, 1, 2, 3]
    assert outcome.progress.best[0].epoch == 7
    assert train(recipe, tmp_path, place=CPU, resume=True).steps == 0


def test_the_moving_average_is_what_is_validated_and_kept(tmp_path):
    seen = []

    def look(model, batch):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"loss": [1.0]}

    validation = Validation(lambda: {"one": [Source()[0]]}, look)
    train(replace(RECIPE, validation=validation, average=0.9, steps=5), tmp_path, place=CPU)
    checkpoint = load_checkpoint(tmp_path / LAST)
    assert same(seen[0], checkpoint.average)
    assert not same(checkpoint.weights, checkpoint.average)
    assert same(mean_weights(best_files(tmp_path)), checkpoint.average)


def test_a_run_is_never_overwritten(tmp_path):
    train(replace(RECIPE, steps=1), tmp_path, place=CPU)
    with pytest.raises(RecipeError, match="holds a run already: add --resume"):
        train(RECIPE, tmp_path, place=CPU)


def test_resuming_nothing_begins(tmp_path):
    assert train(replace(RECIPE, steps=1), tmp_path / "new" / "run", place=CPU, resume=True).steps == 1


def test_another_network_is_refused(tmp_path):
    train(replace(RECIPE, steps=1), tmp_path, place=CPU)
    with pytest.raises(RecipeError, match="another network than the recipe") as caught:
        train(replace(RECIPE, model=lambda: nn.Linear(16, 16)), tmp_path, place=CPU, resume=True)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="cannot be made"):
        train(RECIPE, tmp_path / "file", place=CPU)


def test_a_run_that_fails_before_it_writes_leaves_no_folder(tmp_path):
    def broken():
        raise RecipeError("no such recordings")

    recipe = replace(RECIPE, batches=broken, card={"source": "noise"})
    kept = tmp_path / "mine"
    kept.mkdir()
    for folder in (tmp_path / "runs" / "new", kept, kept / "new"):
        with pytest.raises(RecipeError, match="no such recordings"):
            train(recipe, folder, place=CPU)
    with pytest.raises(RecipeError, match="cannot be used"):
        train(RECIPE, tmp_path / "runs" / "new", place=Place("abacus"))
    assert list(tmp_path.rglob("*")) == [kept]


def test_a_run_that_fails_later_leaves_what_it_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MAX_SKIPPED_IN_A_ROW", 3)
    with pytest.raises(RecipeError, match="not finite"):
        train(replace(RECIPE, loss=faulty(lambda call: call >= 5)), tmp_path / "runs" / "new", place=CPU)
    assert (tmp_path / "runs" / "new" / LAST).exists()


def test_a_validation_without_items_is_refused(tmp_path):
    recipe = replace(RECIPE, validation=Validation(lambda: {"empty": []}, score))
    with pytest.raises(RecipeError, match="'empty' has no batches"):
        train(recipe, tmp_path, place=CPU)


def test_compiling_compiles_the_parts(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: compiled.append(module))
    train(replace(RECIPE, compile=True, steps=1), tmp_path, place=CPU)
    assert [type(part) for part in compiled] == [nn.Sequential]


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
from torch import nn
from dataclasses import replace
import test_loop as t

class Plain(t.Network):
    def __init__(self):
        super().__init__()
        self.layers[1] = nn.Identity()

if __name__ == "__main__":
    recipe = replace(t.RECIPE, model=Plain, steps=10)
    t.train(recipe, Path(sys.argv[1]), place=t.Place("cpu", 2), resume=True)
"""


def test_two_processes_equal_one_that_accumulates(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    subprocess.run([sys.executable, str(script), str(tmp_path / "two")], check=True, timeout=300, capture_output=True)

    class Plain(Network):
        def __init__(self):
            super().__init__()
            self.layers[1] = nn.Identity()

    train(replace(RECIPE, model=Plain, accumulation=2, steps=10), tmp_path / "one", place=CPU)
    one, two = (load_checkpoint(tmp_path / name / LAST) for name in ("one", "two"))
    for name in one.weights:
        torch.testing.assert_close(one.weights[name], two.weights[name])
    assert one.progress.audio_seconds == two.progress.audio_seconds
    scores = [
        [entry["val/loss"] for entry in log_of(tmp_path / name) if "val/loss" in entry] for name in ("one", "two")
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
