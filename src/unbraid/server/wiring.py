"""What all routes share: how they come by the studio, and what they answer when something is wrong."""

from __future__ import annotations

from asyncio import Semaphore
from typing import Annotated, Any

from fastapi import Depends, Request

from unbraid.server.schemas import ErrorDocument
from unbraid.server.studio import Studio

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorDocument}
    for status in (401, 403, 404, 409, 413, 422, 429, 503, 507)
}  # fmt: skip

BINARY = {"schema": {"type": "string", "format": "binary"}}  # content of a body that is a file


def files_of(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that is a file of one of some types."""
    return {200: {"description": "The file.", "content": dict.fromkeys(media_types, BINARY)}}


def _studio_of(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


def _makers_of(request: Request) -> Semaphore:
    makers: Semaphore = request.app.state.makers
    return makers


CurrentStudio = Annotated[Studio, Depends(_studio_of)]
Makers = Annotated[Semaphore, Depends(_makers_of)]
