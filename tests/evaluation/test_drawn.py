from pathlib import Path

import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.pack import PackWriter, read_pack
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError
from unbraid.evaluation.drawn import drawn_items

RATE = 22050


def pool_of(folder: Path, *prompts: str) -> SourcePool:
    with PackWriter(folder / "pack") as writer:
        for number, prompt in enumerate(prompts):
            generator = torch.Generator().manual_seed(number)
            noise = 0.1 * torch.randn(1, 2 * RATE, generator=generator)
            writer.add(f"{prompt}-{number}", Audio(noise, RATE), prompt=prompt)
    return SourcePool(read_pack(folder / "pack"))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> SourcePool:
    prompts = ["speech"] * 4 + ["sfx"] * 4 + ["drums", "bass", "vocals", "other"]
    return pool_of(tmp_path_factory.mktemp("pool"), *prompts)


def test_the_mixture_is_the_sum_of_its_references(pool: SourcePool) -> None:
    for source in drawn_items(pool, count=4, seed=1):
        item = source.read()
        assert item.name == source.name
        assert (item.sample_rate, item.mixture.shape) == (44100, (1, 6 * 44100))
        total = torch.stack([reference.samples for reference in item.references]).sum(dim=0)
        torch.testing.assert_close(item.mixture, total)
        assert all(reference.samples.any() and reference.stems for reference in item.references)
        assert 2 <= len(item.references) <= 4


def test_items_depend_on_seed_and_number_alone(pool: SourcePool) -> None:
    few, more = (drawn_items(pool, count=count, seed=1) for count in (2, 5))
    assert [item.name for item in more[:2]] == [item.name for item in few]
    assert more[1].read().fingerprint == few[1].read().fingerprint
    assert drawn_items(pool, count=2, seed=2)[1].read().fingerprint != few[1].read().fingerprint
    assert len({item.name for item in [*more, *drawn_items(pool, count=5, seed=2)]}) == 10


def test_prompts_without_sources_are_not_drawn(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, *["speech"] * 4, "drums", "bass")
    drawn = {prompt for item in drawn_items(pool, count=12, seed=0) for prompt in item.read().prompts}
    assert {"speech"} < drawn <= {"speech", "drums", "bass", "music-mix"}


def test_a_pool_that_gives_no_mixture_is_refused(tmp_path: Path) -> None:
    (item,) = drawn_items(pool_of(tmp_path, "vocals"), count=1, seed=0)
    with pytest.raises(DatasetError):
        item.read()
