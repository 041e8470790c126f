"""tuss-debug on music that is composed here: a run that needs no data and shows that everything works.

unbraid train recipes/tuss_debug.py --minutes 3
"""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from unbraid.datasets.draws import MixSettings
from unbraid.datasets.prompt_chain import INSTRUMENTS, UNIFIED
from unbraid.datasets.synthetic import draw_track, render_track
from unbraid.datasets.track import Samples, Source, SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import Recipe, Validation
from unbraid.training.schedule import Decay, Schedule
from unbraid.training.tuss_step import TussStep

CONFIG = PRESETS["tuss-debug"]
CHAIN = UNIFIED.only(INSTRUMENTS)
MIXTURES = MixSettings(CONFIG.sample_rate, CONFIG.segment, CHAIN, p_dropout=0.25, p_absent=0.25, p_coherent=0.5)
STEP = TussStep(presence_weight=1.0, relative_silence=True)
SONG_SECONDS = 6.0


@dataclass(frozen=True, eq=False)
class Memory:
    """Samples ``[N]`` that are kept in memory."""

    samples: Samples

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop; there is one channel."""
        del channel
        return self.samples[start:stop]


@cache
def pool(first: int, n_songs: int) -> SourcePool:
    """Compose songs, and return their stems."""
    sources = []
    for seed in range(first, first + n_songs):
        song = render_track(draw_track(seed, duration=SONG_SECONDS))
        for prompt in song.categories:
            samples = np.ascontiguousarray(song.category(prompt).mean(axis=0))
            name, n_samples = f"song-{seed}/{prompt}", samples.shape[0]
            sources.append(Source(name, prompt, song.sample_rate, n_samples, Memory(samples), track=f"song-{seed}"))
    return SourcePool(sources)


def validation() -> dict[str, list[object]]:
    """Return 8 batches of songs that are not trained on."""
    held_out = TrainingSet(pool(1000, 4), MIXTURES, batch_size=4, seed=1)
    return {"composed": [held_out[index] for index in range(8)]}


recipe = Recipe(
    model=partial(Tuss, CONFIG),
    batches=lambda: TrainingSet(pool(0, 8), MIXTURES, batch_size=8),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    steps=2000,
    schedule=Schedule(peak=3e-3, warmup_steps=100, decay=Decay(steps=2000)),
    validation=Validation(validation, STEP.score),
    epoch_steps=200,
    precision="fp32",
)
