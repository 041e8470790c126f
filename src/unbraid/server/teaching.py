"""From what a client wants taught to a lesson: everything that can be refused is refused here, before any work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Target
from unbraid.server.catalog import Offer
from unbraid.server.documents import file_sound
from unbraid.server.folder import check_id, new_id
from unbraid.server.labels import facts_of
from unbraid.server.lessons import Lesson, Passage
from unbraid.server.records import FileRow
from unbraid.server.refusals import Conflict, NotFound, QuotaExceeded
from unbraid.server.schemas import Example, NewLesson
from unbraid.teaching.library import check_name
from unbraid.zoo import check_targets, default_model

if TYPE_CHECKING:
    from unbraid.server.studio import Studio

RECIPE = "lesson.json"
SHORTEST = 0.1  # seconds of one example
LONGEST = 600.0  # seconds of all


def begin_lesson(studio: Studio, session_id: str, body: NewLesson) -> FileRow:
    """Make the file that will be a taught label, and have it taught; removing the file cancels that.

    Raises:
        NotFound: if there is no such file in the session.
        GuideError: if the name or an example cannot be used, or the model cannot be taught.
        Conflict: if an example has not been read yet, or there is such a label.
        QuotaExceeded: if another label of the session is being taught.
    """
    offer = _pupil(studio, body)
    check_name(body.name, offer.separator)
    passages = [_passage(studio, session_id, one) for one in (*body.positive, *body.negative)]
    seconds = sum((one.stop - one.start) / one.held.sound.sample_rate for one in passages)
    if seconds > LONGEST:
        raise GuideError(f"the examples last {seconds:.0f} s together, and {LONGEST:.0f} s are allowed: give fewer")
    row = FileRow(new_id(), session_id, f"{body.name}.unbraid", size_bytes=0, sha256="", kind="label", state="teaching")
    recipe = body.model_dump() | {"model": offer.name}
    with studio.store.transaction():
        _check_others(studio, session_id, body.name, offer)
        studio.store.add_file(row)
        place = studio.folder.file(row.id)
        place.mkdir(mode=0o700)
        (place / RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
    studio.tell_file(row)
    studio.lessons.submit(row.id)
    return row


def lesson_of(studio: Studio, row: FileRow) -> Lesson:
    """Return what a process needs to teach a label.

    Raises:
        UnbraidError: if something that it needs has gone.
    """
    folder = studio.folder.file(row.id)
    recipe = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    body = NewLesson.model_validate(recipe)
    positive, negative = (
        tuple(_passage(studio, row.session, one) for one in side) for side in (body.positive, body.negative)
    )
    source = studio.catalog.offer(str(body.model)).source
    return Lesson(folder, body.name, source, studio.options.devices[0], positive, negative)


def _pupil(studio: Studio, body: NewLesson) -> Offer:
    """Return the model that learns: the one asked for, or the first that listens to examples."""
    target = Target(body.name, Examples([Path("example")], [Path("other") for _ in body.negative]))
    offer = studio.catalog.offer(body.model or default_model([target]))
    if not offer.model_sha256:
        able = [one.name for one in studio.catalog.offers() if one.model_sha256]
        raise GuideError(f"{offer.name} cannot be taught new labels: choose {' or '.join(able)}")
    if Examples in offer.separator.accepts:
        check_targets(offer.separator, [target])
    return offer


def _check_others(studio: Studio, session_id: str, name: str, offer: Offer) -> None:
    labels = [row for row in studio.store.files(session_id) if row.kind == "label"]
    if any(row.state == "teaching" for row in labels):
        raise QuotaExceeded("another sound of this session is being taught: wait for it, or cancel it")
    known = [facts_of(studio.folder, row) for row in labels if row.state == "ready"]
    if any((one.name, one.model_sha256) == (name, offer.model_sha256) for one in known):
        raise Conflict(f"{offer.name} was taught {name!r} in this session already: give it another name")


def _passage(studio: Studio, session_id: str, example: Example) -> Passage:
    row = studio.store.file(check_id(example.file, "file"))
    if row.session != session_id:
        raise NotFound("there is no such file in this session: upload it here, too")
    if row.state != "ready":
        raise Conflict(f"{row.name} cannot be an example: {row.error or 'wait until it has been read'}")
    held = file_sound(studio, row)
    duration = held.sound.n_samples / held.sound.sample_rate
    start, stop = example.start or 0.0, duration if example.stop is None else min(example.stop, duration)
    if stop - start < SHORTEST:
        raise GuideError(f"an example of {row.name} lasts {max(0.0, stop - start):.2f} s: give {SHORTEST} s at least")
    first, last = (round(second * held.sound.sample_rate) for second in (start, stop))
    return Passage(held, first, last)
