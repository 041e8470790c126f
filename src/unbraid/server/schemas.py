"""What goes over the wire, typed: the OpenAPI description is made of these."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from unbraid.guides.spec import GuideSpec, TargetSpec, read_request_spec

MAX_TITLE = 200
MAX_DEPTH = 100  # of lists and objects in each other
MAX_PRIORS = 100
MAX_EXAMPLES = 50
State = Literal["waiting", "running", "done", "failed", "cancelled"]
Targets = Annotated[
    list[TargetSpec | GuideSpec],
    PlainValidator(lambda given: list(read_request_spec(given)), json_schema_input_type=list[TargetSpec | GuideSpec]),
]
Title = Annotated[str, Field(max_length=MAX_TITLE)]
Name = Annotated[str, Field(max_length=MAX_TITLE)]
Format = Literal["wav", "flac", "ogg", "mp3"]
Depth = Literal["16", "24", "float"]


def _depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth_of, inner), default=0)


class _Body(BaseModel):
    """What a client sends: unknown names are refused, and nothing is taken for what it is not (no "5" for 5)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_cannot_be_told_again(cls, given: Any) -> Any:
        """Python reads more than JSON: NaN, halves of letters, and nesting that nobody can write."""
        try:
            json.dumps(given, allow_nan=False, ensure_ascii=False, default=str).encode()
            is_plain = _depth_of(given) <= MAX_DEPTH
        except (ValueError, RecursionError):
            is_plain = False
        if not is_plain:
            raise ValueError(f"is no JSON: leave out NaN, broken letters, and what lies deeper than {MAX_DEPTH} levels")
        return given


class NewSession(_Body):
    """A session to begin."""

    title: Title = ""


class SessionChange(_Body):
    """What to change in a session."""

    title: Title | None = None
    page: dict[str, Any] | None = None


class Region(_Body):
    """Seconds of a song."""

    start: float = Field(ge=0, allow_inf_nan=False)
    stop: float = Field(gt=0, allow_inf_nan=False)


class TakeSettings(_Body):
    """How to separate; what is null is left to the model.

    ``priors`` are those that take part, and ``search`` is how they search, of a model that is put together of priors.
    """

    overlap: float | None = None
    segment: float | None = None
    batch_size: int | None = None
    precision: Literal["fp32", "bf16"] | None = None
    seed: int | None = None
    steps: int | None = None
    candidates: int | None = None
    priors: Annotated[list[Name], Field(max_length=MAX_PRIORS)] | None = None
    search: Name | None = None


class NewTake(_Body):
    """A take to begin."""

    song: str
    targets: Targets
    model: str | None = None
    settings: TakeSettings = TakeSettings()
    region: Region | None = None
    whole: bool | None = None
    title: Title = ""
    parent: str | None = None


class TakeChange(_Body):
    """What to change in a take."""

    title: Title


class NewJob(_Body):
    """A job to add to a take; without a region it is the whole song."""

    region: Region | None = None


class FromSound(_Body):
    """A sound to make a file of."""

    sound: str
    name: Annotated[str, Field(max_length=MAX_TITLE)] | None = None


class LabelDocument(BaseModel):
    """A taught label; it fits the models with the same ``model_sha256``."""

    name: str
    model: str
    model_sha256: str


class FromLibrary(_Body):
    """A label of the library to take over."""

    name: Annotated[str, Field(max_length=MAX_TITLE)]
    model_sha256: Annotated[str, Field(max_length=64)]


class Example(_Body):
    """A recording of the session, or the part of it from one second to another."""

    file: str
    start: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    stop: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class NewLesson(_Body):
    """A sound to teach under a name."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]
    positive: Annotated[list[Example], Field(min_length=1, max_length=MAX_EXAMPLES)]
    negative: Annotated[list[Example], Field(max_length=MAX_EXAMPLES)] = []
    model: str | None = None


class FileDocument(BaseModel):
    """An uploaded file, or a label that is being taught."""

    id: str
    session: str
    name: str
    kind: Literal["audio", "midi", "mask", "label"] | None
    state: Literal["analyzing", "teaching", "ready", "failed"]
    progress: float
    error: str | None
    created: float
    size_bytes: int
    sha256: str
    sample_rate: int | None
    n_channels: int | None
    n_samples: int | None
    duration: float | None
    final_samples: int | None
    label: LabelDocument | None


class StemDocument(BaseModel):
    """One stem of a job; the last one is the residual."""

    sound: str
    name: str
    presence: float | None
    peak_db: float | None


class JobDocument(BaseModel):
    """A separation of a region or of the whole song."""

    id: str
    take: str
    session: str
    state: State
    progress: float
    error: str | None
    created: float
    region: Region | None
    start: float
    stop: float
    cached: bool
    final_samples: int
    stems: list[StemDocument]
    presence_curve: list[list[float]]


class TakeDocument(BaseModel):
    """What was asked for, and the jobs that answer it."""

    id: str
    session: str
    song: str
    title: str
    parent: str | None
    created: float
    targets: Annotated[list[Any], Field(json_schema_extra={"description": "as in the request"})]
    model: str
    settings: TakeSettings
    jobs: list[JobDocument]


class SessionSummary(BaseModel):
    """A session in the list of all."""

    id: str
    title: str
    created: float
    used: float


class SessionDocument(SessionSummary):
    """A session with all that is in it."""

    page: dict[str, Any]
    stored_bytes: int
    files: list[FileDocument]
    takes: list[TakeDocument]


class Level(BaseModel):
    """A level of zoom: how many bins or frames there are by now."""

    level: int
    count: int


class SoundDocument(BaseModel):
    """A sound that can be heard and seen; ``start`` is the second of the song at which it begins."""

    id: str
    name: str
    sample_rate: int
    n_channels: int
    n_samples: int
    final_samples: int
    duration: float
    start: float
    peaks: list[Level]
    spectrogram: list[Level]


class TrackDocument(BaseModel):
    """A track of MIDI; notes are start, stop (seconds), pitch and velocity."""

    number: int
    name: str
    is_drum: bool
    notes: list[tuple[float, float, int, int]]


class NotesDocument(BaseModel):
    """The tracks of a MIDI file."""

    tracks: list[TrackDocument]


class ModelDocument(BaseModel):
    """A model, and what it takes."""

    name: str
    summary: str
    guides: list[str]
    vocabulary: list[str]
    licence: str
    training_data: str
    sample_rate: int
    segment: float
    n_parameters: int
    draws: bool
    takes_negatives: bool
    listens: bool
    model_sha256: str
    priors: list[str]
    searches: list[str]


class CodeDocument(BaseModel):
    """How to do the same without the server.

    ``files`` maps the names in it to files of the session, ``documents`` names files to write, and what is in them.
    """

    command: str
    python: str
    files: dict[str, str]
    documents: dict[str, str]


class SeparateDocument(BaseModel):
    """What the short way to a separation has begun."""

    session: str
    file: str
    take: TakeDocument
    job: JobDocument


class ErrorValues(BaseModel):
    """An error in words."""

    type: str
    message: str


class ErrorDocument(BaseModel):
    """How every error is answered."""

    error: ErrorValues


class HealthDocument(BaseModel):
    """Whether the server is well."""

    status: Literal["ok", "degraded"]
    version: str
    workers: dict[str, bool]


class AboutDocument(BaseModel):
    """What a page needs to know of the server."""

    version: str
    devices: list[str]
    limits: dict[str, float]
    formats: dict[str, list[str]]
    stem_mp4: bool
    demo: bool
    tasks: dict[str, list[str]]
    mask: dict[str, float]
    peaks: dict[str, float]
    spectrogram: dict[str, float]
