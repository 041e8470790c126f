import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from unbraid.errors import DatasetError
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.folder import FolderExamination, find_songs, name_for, read_song
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.records import RecordFile
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.zoo import debug_model

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets" / "public"))
from miniatures import make_musdb18

RATE = 8000
TONES = {"kick": 2400.0, "lead vox": 3000.0, "mixture": 0.0, "flute": 500.0}


def write(path: Path, *hertz: float, gain: float = 0.1, n_channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = torch.arange(2 * RATE) / RATE
    total = sum((gain * torch.sin(2 * torch.pi * one * times) for one in hertz), torch.zeros(2 * RATE))
    soundfile.write(path, total[:, None].expand(-1, n_channels).numpy(), RATE)


def test_song_folders_stem_folders_and_slakh_are_found(tmp_path: Path) -> None:
    for stem in ("lead vox", "kick", "mixture"):
        write(tmp_path / "songs" / "deep" / "one" / f"{stem}.flac", 300.0)
        write(tmp_path / "stems" / {"lead vox": "vocals", "kick": "drums"}.get(stem, stem) / "two.wav", 300.0)
    write(tmp_path / "songs" / "deep" / "one" / "._kick.flac", 300.0)
    track = tmp_path / "slakh" / "Track00001"
    write(track / "mix.flac", 300.0)
    write(track / "stems" / "S00.flac", 300.0)
    write(track / "stems" / "S01.flac", 300.0)
    (track / "metadata.yaml").write_text("stems: {S00: {inst_class: Piano}, S01: {inst_class: Bass}}", encoding="utf-8")
    (one,) = find_songs(tmp_path / "songs")
    assert (one.name, set(one.stems), one.mixture is not None) == ("deep/one", {"lead vox", "kick"}, True)
    (two,) = find_songs(tmp_path / "stems")
    assert (two.name, set(two.stems), two.mixture is not None) == ("two", {"vocals", "drums"}, True)
    (three,) = find_songs(tmp_path / "slakh")
    assert (three.name, set(three.stems), three.mixture is not None) == ("Track00001", {"Piano S00", "Bass S01"}, True)
    with pytest.raises(DatasetError, match="no such folder"):
        find_songs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no stems"):
        find_songs(tmp_path / "empty")


def test_stem_files_are_read_stream_by_stream(tmp_path: Path) -> None:
    pytest.importorskip("av")
    make_musdb18(tmp_path)
    songs = {song.name: song for song in find_songs(tmp_path / "test")}
    assert set(songs) == {"AM Contra - Heart Peripheral", "Al James - Schoolboy Facination"}
    loud = read_song(songs["AM Contra - Heart Peripheral"])
    assert set(loud.stems) == {"drums", "bass", "other", "vocals"}
    total = torch.stack(list(loud.stems.values())).sum(dim=0)
    assert float((loud.mixture - total).square().mean()) < 0.05 * float(total.square().mean())  # AAC is not exact


def test_one_stem_and_a_mixture_are_enough(tmp_path: Path) -> None:
    write(tmp_path / "speech.wav", 600.0)
    write(tmp_path / "mixture.wav", 600.0, 2400.0, n_channels=2)
    (song,) = find_songs(tmp_path)
    loud = read_song(song)
    assert loud.mixture.shape == loud.stems["speech"].shape == (2, 2 * RATE)
    assert float(loud.mixture.square().mean()) == pytest.approx(
        2 * float(loud.stems["speech"].square().mean()), rel=0.01
    )


def test_stems_are_called_what_a_model_knows() -> None:
    stems = ["lead vox", "clean_guitar2", "violin"]
    assert name_for(debug_model(), stems) == {"lead vox": "vocals", "clean_guitar2": "other", "violin": "other"}
    classes = FilmUnet(PRESETS["film-unet-classes"])
    assert name_for(classes, stems) == {"lead vox": "vocals", "clean_guitar2": "electric guitar", "violin": "strings"}


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for song in ("one", "two"):
        for stem in ("kick", "lead vox"):
            write(tmp_path / "songs" / song / f"{stem}.wav", TONES[stem])
    write(tmp_path / "songs" / "one" / "noise floor.wav", 400.0)
    return tmp_path / "songs"


def test_every_stem_with_a_name_is_asked_for(songs: Path, tmp_path: Path, separator_class: Callable[..., Any]) -> None:
    examination = FolderExamination(Choice(data=songs))
    contestants = [
        Contestant.enter("bands", separator_class(("drums", "vocals"))),
        Contestant.enter("speech", separator_class(("speech",))),
    ]
    records = RecordFile(tmp_path / "results.jsonl")
    results = [unit.examine(contestants, records) for unit in examination.units()]
    found = {(one.item, one.prompt): one for result in results for one in result.records}
    assert set(found) == {(song, name) for song in ("one", "two") for name in ("drums", "vocals")}
    assert all(one.si_sdr > 20 for one in found.values())
    assert found["one", "drums"].sources[0].stems == ("kick",)
    assert found["one", "drums"].item_set == "songs"
    assert {(one.model, one.reason) for result in results for one in result.skipped} == {
        ("speech", "it has no name for any stem")
    }
    page = examination.pages(results[0], records)["report.md"]
    assert "| drums | bands | 1 |" in page
    assert "- speech, all-prompts: it has no name for any stem (one)" in page


def test_files_of_several_rates_or_widths_are_told_with_all_of_them(tmp_path: Path) -> None:
    for name, width, rate in (("vocals", 1, 8000), ("drums", 2, 16000)):
        soundfile.write(tmp_path / f"{name}.wav", torch.full((200, width), 0.1).numpy(), rate)
    (song,) = find_songs(tmp_path)
    with pytest.raises(DatasetError, match=r"differ in rate or channels \(8000 and 16000 Hz, 2 channels\)"):
        read_song(song)
