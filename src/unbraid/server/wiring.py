"""What all routes share: how they come by the studio, and what they answer when something is wrong."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from unbraid.server.schemas import ErrorDocument
from unbraid.server.studio import Studio

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorDocument}
    for status in (401, 403, 404, 409, 413, 422, 429, 503, 507)
}  # fmt: skip


def _studio_of(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


CurrentStudio = Annotated[Studio, Depends(_studio_of)]
