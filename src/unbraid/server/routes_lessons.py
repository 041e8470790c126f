"""The route that teaches."""

from __future__ import annotations

from fastapi import APIRouter

from unbraid.server.documents import file_document
from unbraid.server.folder import check_id
from unbraid.server.schemas import FileDocument, NewLesson
from unbraid.server.teaching import begin_lesson
from unbraid.server.uploads import check_room
from unbraid.server.wiring import ERRORS, CurrentStudio

router = APIRouter(prefix="/api", responses=ERRORS, tags=["files"])


@router.post("/sessions/{session}/files/taught", status_code=201)
def teach_label(studio: CurrentStudio, session: str, body: NewLesson) -> FileDocument:
    """Teach a sound under a name: the answer is the file that will be its label; removing it cancels the lesson."""
    check_room(studio, check_id(session, "session"))
    return file_document(studio, begin_lesson(studio, session, body))
