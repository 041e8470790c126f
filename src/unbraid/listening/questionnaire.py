"""A listening test as a folder: a page, its sounds, and, kept apart, the key that tells which sound is which.

After the two parts of the listening test of Wen, Kim, Smaragdis, "User-guided generative source separation", 2025:
quality, heard beside the mixture, which is also among what is judged, and timbre, heard beside the true sound. Both are
of the kind of ITU-R BS.1534-3 (MUSHRA): the true sound is hidden among the others, and so is an anchor.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.audio.files import Encoding, write_audio
from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError, SettingsError
from unbraid.listening.stimuli import Stimuli
from unbraid.listening.trials import MIXTURE, REFERENCE

FORMAT = "unbraid-listening-1"
PAGE = Path(__file__).parent / "page"
SOUNDS, KEY = "audio", "key.json"


@dataclass(frozen=True)
class Part:
    """One question, asked of every trial: beside which sound the others are judged, and what listeners read.

    ``passed_over`` names the sounds that are not judged.
    """

    name: str
    shown: str
    title: str
    button: str
    question: str
    passed_over: tuple[str, ...] = ()


QUALITY = Part(
    "quality",
    MIXTURE,
    "Quality",
    "Mixture",
    "Each sound is to be one source out of the mixture. How good is it? Think of other sources that are left in it, "
    "and of noise and damage. One of the sounds is the mixture itself: give it 0.",
)
TIMBRE = Part(
    "timbre",
    REFERENCE,
    "Timbre",
    "Reference",
    "How much does each sound like the reference? Think of its color alone, not of what else is heard. One of them is "
    "the reference itself: give it 100.",
    (MIXTURE,),
)
Page = tuple[dict[str, Any], dict[str, Any]]
PARTS = {part.name: part for part in (QUALITY, TIMBRE)}


@dataclass(frozen=True)
class Written:
    """Where a test lies, and where its key."""

    folder: Path
    key: Path
    n_pages: int


def check_place(folder: Path) -> Path:
    """Return where the key of a test in this folder goes, before there is any work.

    Raises:
        SettingsError: if there is something in either place already.
    """
    key = folder.with_name(f"{folder.name}.{KEY}")
    for place in (folder, key):
        if place.exists() and not (place.is_dir() and not any(place.iterdir())):
            raise SettingsError(f"{place}: is there already: choose another folder, or remove it")
    return key


def write_test(
    trials: Sequence[Stimuli], folder: Path, *, title: str = "Listening test", parts: Sequence[Part], seed: int = 0
) -> Written:
    """Write a test that a browser runs from a disk or from any web server, and the key beside the folder.

    Sounds have names that tell nothing. The folder appears when it is whole.

    Args:
        trials: at least one.
        folder: must not exist, or be empty.
        title: that listeners read.
        parts: the questions, in their order.
        seed: of the names of sounds.

    Raises:
        SettingsError: if there is something in the folder already, or nothing to ask.
    """
    if not trials or not parts:
        raise SettingsError("a listening test needs at least one trial and one part: give both")
    key = check_place(folder)
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        (draft / SOUNDS).mkdir(parents=True)
        names = _names(seed)
        pages = [_write_page(trial, part, draft / SOUNDS, names) for part in parts for trial in trials]
        test, answers = _describe(pages, parts, title=title, test_id=_fingerprint(draft / SOUNDS))
        for file in PAGE.iterdir():
            shutil.copyfile(file, draft / file.name)
        (draft / "test.js").write_text(f"window.TEST = {json.dumps(test, indent=1)};\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        key.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be written ({error.strerror}): choose another place") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Written(folder, key, len(trials) * len(parts))


def _write_page(
    trial: Stimuli, part: Part, folder: Path, names: Iterator[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the sounds of one page, and return what the page is told and what only the key holds.

    What is shown has another name than its twin among what is judged.
    """
    asked = {what: next(names) for what in trial.sounds if what not in part.passed_over}
    shown = next(names)
    for what, name in [*asked.items(), (part.shown, shown)]:
        _write_sound(trial.sounds[what], folder, name)
    told = {"id": next(names), "part": part.name, "shown": shown, "stimuli": sorted(asked.values())}
    facts = {
        "trial": trial.name,
        "part": part.name,
        "loudness_lufs": round(trial.loudness, 2),
        "start": round(trial.start, 3),
        "stimuli": {name: what for what, name in asked.items()},
    }
    return told, facts


def _describe(
    pages: Sequence[Page], parts: Sequence[Part], *, title: str, test_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the browser is told, and the key."""
    told = [{"name": part.name, "title": part.title, "shown": part.button, "question": part.question} for part in parts]
    test = {"format": FORMAT, "id": test_id, "title": title, "parts": told, "trials": [page for page, _ in pages]}
    return test, {"format": FORMAT, "test": test_id, "title": title, "pages": {page["id"]: key for page, key in pages}}


def _fingerprint(folder: Path) -> str:
    """Name a test for its sounds: browsers and keys must not take the answers to one for those to another."""
    found = hashlib.blake2b(digest_size=5)
    for file in sorted(folder.iterdir()):
        found.update(file.name.encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def _names(seed: int) -> Iterator[str]:
    dice, used = random.Random(seed), set[str]()
    while True:
        name = f"{dice.getrandbits(40):010x}"
        if name not in used:
            used.add(name)
            yield name


def _write_sound(audio: Audio, folder: Path, name: str) -> None:
    """Write a sound as a file, and as a script for pages that are opened without a server."""
    file = folder / f"{name}.flac"
    write_audio(file, audio, encoding=Encoding("flac", "16"), insist=True)
    text = base64.b64encode(file.read_bytes()).decode("ascii")
    script = f'(window.SOUNDS ??= {{}})["{name}"] = "{text}";\n'
    (folder / f"{name}.js").write_text(script, encoding="ascii")
