"""Taught labels in files: what is kept, whom they are for, what is refused."""

import dataclasses

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from unbraid.delivery.manifest import describe_model
from unbraid.errors import GuideError
from unbraid.models.queries import Query, add_query, load_query, save_query, tensors_sha256
from unbraid.zoo import debug_model


@pytest.fixture
def query():
    model = debug_model()
    vector = torch.randn(model.query_size, generator=torch.Generator().manual_seed(0))
    return Query("lead riff", "tuss-debug", tensors_sha256(model), vector, {"steps": 3, "examples": [{"name": "a"}]})


def test_a_query_comes_back_as_it_was_saved(query, tmp_path):
    path = tmp_path / "riff.unbraid"
    save_query(query, path)
    read = load_query(path)
    assert torch.equal(read.vector, query.vector)
    assert (read.name, read.model, read.model_sha256) == (query.name, query.model, query.model_sha256)
    assert read.facts == query.facts
    assert [one.name for one in tmp_path.iterdir()] == ["riff.unbraid"]


def test_the_hash_is_that_of_the_manifest_and_of_the_tensors_alone():
    model, other = debug_model(), debug_model(seed=1)
    assert tensors_sha256(model) == describe_model(model)["weights_sha256"] == tensors_sha256(debug_model())
    assert tensors_sha256(other) != tensors_sha256(model)
    model.config = dataclasses.replace(model.config, channel_mode="each")
    model.taught["riff"] = torch.zeros(8)
    assert tensors_sha256(model) == tensors_sha256(debug_model())


def test_a_query_is_for_one_model_only(query):
    model, other = debug_model(), debug_model(seed=1)
    add_query(model, query)
    assert torch.equal(model.taught["lead riff"], query.vector)
    with pytest.raises(GuideError, match="'lead riff' was taught to tuss-debug, not to Tuss"):
        add_query(other, query)
    other.name = "tuss-debug"
    with pytest.raises(GuideError, match="tuss-debug with other weights"):
        add_query(other, query)
    assert not other.taught


def bad_files(folder, query):
    good = folder / "good.unbraid"
    save_query(query, good)
    header = {"format": "unbraid-query-1", "name": "a", "model": "b", "model_sha256": "c", "facts": "{}"}
    vector = {"query": torch.zeros(8)}
    (folder / "text.unbraid").write_text("this is text")
    (folder / "cut.unbraid").write_bytes(good.read_bytes()[:-9])
    (folder / "large.unbraid").write_bytes(b"\0" * ((1 << 20) + 1))
    save_file(vector, folder / "no-header.unbraid")
    save_file(vector, folder / "other-format.unbraid", metadata={**header, "format": "unbraid-1"})
    save_file(vector, folder / "facts.unbraid", metadata={**header, "facts": "{"})
    save_file({"weights": torch.zeros(8)}, folder / "no-vector.unbraid", metadata=header)
    save_file({"query": torch.full((8,), torch.nan)}, folder / "nan.unbraid", metadata=header)
    save_file({"query": torch.zeros(2, 4)}, folder / "matrix.unbraid", metadata=header)
    save_file(vector, folder / "no-name.unbraid", metadata={**header, "name": " "})
    good.unlink()
    return [*sorted(folder.iterdir()), folder / "missing.unbraid", folder]


def test_what_is_no_taught_label_is_refused_in_one_line(query, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    for path in bad_files(folder, query):
        with pytest.raises(GuideError) as caught:
            load_query(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_vector_that_was_changed_is_refused(query, tmp_path):
    path = tmp_path / "riff.unbraid"
    save_query(query, path)
    whole = path.read_bytes()
    for place in (1, 3, query.vector.numel() * 4):  # from the end, where the vector lies
        path.write_bytes(whole[:-place] + bytes([whole[-place] ^ 1]) + whole[len(whole) - place + 1 :])
        with pytest.raises(GuideError, match="damaged: give a file that unbraid teach wrote"):
            load_query(path)
    path.write_bytes(whole)
    assert torch.equal(load_query(path).vector, query.vector)


def test_files_of_before_there_was_a_hash_of_the_vector_still_load(query, tmp_path):
    path = tmp_path / "riff.unbraid"
    save_query(query, path)
    with safe_open(path, "pt") as file:
        header = file.metadata()
    del header["vector_sha256"]
    save_file({"query": query.vector}, path, metadata=header)
    assert torch.equal(load_query(path).vector, query.vector)


def test_a_vector_that_is_not_finite_is_not_written(query, tmp_path):
    with pytest.raises(GuideError, match="the vector of 'lead riff' is not finite: teach it again"):
        save_query(dataclasses.replace(query, vector=query.vector / 0), tmp_path / "riff.unbraid")
    assert not list(tmp_path.iterdir())


def test_a_place_that_takes_no_file_is_told_and_nothing_is_left(query, tmp_path):
    with pytest.raises(GuideError, match="cannot be written"):
        save_query(query, tmp_path / "no folder" / "riff.unbraid")
    (tmp_path / "taken.unbraid").mkdir()
    with pytest.raises(GuideError, match="cannot be written"):
        save_query(query, tmp_path / "taken.unbraid")
    assert [one.name for one in tmp_path.iterdir()] == ["taken.unbraid"]
