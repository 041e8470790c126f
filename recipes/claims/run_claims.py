"""Put the papers' claims to small networks: ``python recipes/claims/run_claims.py PACKS OUT --minutes 60``.

One run at a time, the most telling ones first, all of a seed before the next seed; every run is trained for the same
number of steps within its family, and examined on the same held-out songs. What is done is kept: a call that was
stopped goes on where it was, within a run too. OUT/NAME-SEED.json has the facts of a run, and
OUT/NAME-SEED/results.jsonl every score; report_claims.py makes the tables.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import few_shot_runs
import lasaft_runs
import torch
from claim_data import tracks

from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.questions import Condition, Kind
from unbraid.evaluation.records import RecordFile
from unbraid.evaluation.tracks import by_instrument, by_stem
from unbraid.models.lasaft import Lasaft
from unbraid.models.separator import Separator
from unbraid.training.checkpoints import LAST, load_weights
from unbraid.training.loop import Place, train
from unbraid.training.recipe import Recipe

STEPS = {"lasaft": 800, "few-shot": 250}
ORDER = (
    "classes", "5-shot", "unseen, classes", "unseen, 5-shot", "lasaft query-key", "lasaft baseline", "1-shot",
    "5-shot, multi-source", "5-shot, negatives", "audio, query-key, self", "audio, deaf, self",
    "audio, query-key, other", "lasaft v1", "unseen, 1-shot", "3-shot", "lasaft +query", "lasaft +key", "2-shot",
    "4-shot",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A network to train, and what it is asked."""

    name: str
    seed: int
    family: str
    conditions: tuple[Condition, ...]

    @property
    def file_name(self) -> str:
        """A name for files."""
        return f"{self.name.replace(', ', '-').replace(' ', '-')}-{self.seed}"

    def recipe(self, packs: Path, steps: int) -> Recipe:
        """Return the training."""
        if self.family == "lasaft":
            return lasaft_runs.lasaft_recipe(lasaft_runs.VARIANTS[self.name], packs=packs, seed=self.seed, steps=steps)
        return few_shot_runs.few_shot_recipe(
            few_shot_runs.VARIANTS[self.name], packs=packs, seed=self.seed, steps=steps
        )


def make_run(name: str, seed: int) -> Run:
    """Return the run of a name: labels are asked for by label, examples in as many as the network is trained with."""
    label = Condition(Kind.LABEL)
    if name in lasaft_runs.VARIANTS:
        recordings = tuple(Condition(kind, 1) for kind in (Kind.SAME_TRACK, Kind.OTHER_TRACK, Kind.WRONG))
        takes_recordings = lasaft_runs.VARIANTS[name].p_other is not None
        return Run(name, seed, "lasaft", (label, *recordings) if takes_recordings else (label,))
    variant = few_shot_runs.VARIANTS[name]
    if variant.config.classes:
        return Run(name, seed, "few-shot", (label,))
    kinds = [Kind.SAME_TRACK]
    if name in ("1-shot", "5-shot"):
        kinds += [Kind.OTHER_TRACK, Kind.WRONG, Kind.ABSENT, Kind.PAIR]
    kinds += [Kind.MULTI_SOURCE] if name.startswith("5-shot") else []
    kinds += [Kind.NEGATIVES] if variant.config.negatives else []
    return Run(name, seed, "few-shot", tuple(Condition(kind, variant.config.n_shot) for kind in kinds))


def execute(run: Run, packs: Path, out: Path, *, steps: int, place: Place, minutes: float) -> dict[str, object] | None:
    """Train and examine one run; None if the time was over before its end."""
    folder = out / run.file_name
    recipe = run.recipe(packs, steps)
    outcome = train(recipe, folder, minutes=minutes, resume=True, place=place)
    if not outcome.finished:
        return None
    began = time.monotonic()
    model = recipe.model()
    assert isinstance(model, Separator)
    model.load_state_dict(load_weights(folder / LAST))
    model.eval().to(place.device)
    if isinstance(model, Lasaft) and not model.vocabulary:
        lasaft_runs.teach_classes(model, packs)
    contestant = Contestant.enter(run.name, model)
    evaluate_guided(
        tracks(packs, by_stem if run.family == "lasaft" else by_instrument),
        [contestant],
        records=RecordFile(folder / "results.jsonl"),
        plan=GuidedPlan(conditions=run.conditions),
    )
    return {
        "name": run.name,
        "seed": run.seed,
        "family": run.family,
        "steps": outcome.progress.step,
        "seconds_of_audio": round(outcome.progress.audio_seconds),
        "seconds_of_training": round(outcome.progress.seconds),
        "seconds_of_examination": round(time.monotonic() - began),
        "parameters": sum(one.numel() for one in model.parameters()),
        "weights": contestant.weights,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores",
    }


def main() -> None:
    """Read the arguments, and do what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("packs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=float, default=1.0, help="times the steps of each run")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="*", choices=ORDER, default=list(ORDER))
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    say: Callable[..., None] = lambda *words: print(time.strftime("%H:%M:%S"), *words, flush=True)  # noqa: E731
    for run in (make_run(name, seed) for seed in range(arguments.seeds) for name in ORDER if name in arguments.only):
        path = arguments.out / f"{run.file_name}.json"
        left = (end - time.monotonic()) / 60
        if path.exists() or left <= 0:
            continue
        steps = round(arguments.steps * STEPS[run.family])
        place = Place(device=arguments.device)
        facts = execute(run, arguments.packs, arguments.out, steps=steps, place=place, minutes=left)
        if facts is None:
            say(run.file_name, "was stopped on the way: the same command goes on")
            break
        path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        say(run.file_name, f"{facts['seconds_of_training']} s of training, {facts['seconds_of_examination']} s more")


if __name__ == "__main__":
    main()
