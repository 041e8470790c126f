"""Every dataset says what it is, under a name of its own."""

import re
from pathlib import Path

import pytest

from unbraid.datasets.public.catalog import DATASETS, find
from unbraid.errors import DatasetError

DOCS = Path(__file__).parents[3] / "docs" / "data.md"


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_dataset_says_all_that_must_be_known(name):
    dataset = DATASETS[name]
    assert re.fullmatch(r"[a-z0-9.-]+", name)
    assert (dataset.name, find(name.upper())) == (name, dataset)
    assert all((dataset.title, dataset.citation, dataset.licence, dataset.url, dataset.tree, dataset.splits))
    assert len(set(dataset.splits)) == len(dataset.splits)


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_folder_that_is_no_dataset_is_refused(name, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DatasetError):
        DATASETS[name].index(tmp_path, DATASETS[name].splits[0])
    with pytest.raises(DatasetError):
        DATASETS[name].index(tmp_path, "nonsense")


def test_the_nearest_name_is_proposed():
    with pytest.raises(DatasetError, match="did you mean slakh2100-redux"):
        find("slakh-redux")


@pytest.mark.parametrize("name", [name for name in DATASETS if not name.startswith("wham")])
def test_the_docs_name_it(name):
    assert f"`{name}`" in DOCS.read_text(encoding="utf-8")
