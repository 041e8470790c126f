"""Every route keeps to its own description, whatever is sent: made-up requests, good and bad, to a real server."""

import io
from dataclasses import dataclass

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from PIL import Image
from studio_server import serving, wav_bytes

from unbraid.server.app import make_app
from unbraid.server.security import Door

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

GenerationMode = schemathesis.GenerationMode
N_EXAMPLES = 12
NUMBERS = {"level", "tile", "index"}
CONFORMANCE = [
    pytest.importorskip("schemathesis.checks").not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
ENDLESS = "GET /api/sessions/{session}/events"  # what it says to those whom it knows is tested in test_events.py


def described():
    """Return the OpenAPI document of the server, which need not run for it."""
    return make_app(lambda: None, door=Door()).openapi()


def can_be_bad(operation):
    """Whether something of a request can be other than described: any text is a fine id of nothing."""
    sent = [parameter["schema"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    return bool(sent) or "application/json" in operation.get("requestBody", {}).get("content", {})


OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in described()["paths"].items()
    for method, operation in operations.items()
}


@dataclass
class Desk:
    """A session that has everything, the description of the server, and one in which its ids are likely to be tried."""

    server: object
    session: str
    song: str
    take: str
    ids: dict
    schema: object
    likely: object

    def expendable(self, what):
        """Return the id of something that may be removed."""
        if what == "session":
            return self.server.session()
        if what == "file":
            return self.server.upload(self.session, wav_bytes(0.1), wait=False)["id"]
        return self.server.take(self.session, self.song)["id"]


def midi_bytes():
    track = mido.MidiTrack([mido.Message("note_on", note=69), mido.Message("note_off", note=69, time=480)])
    buffer = io.BytesIO()
    mido.MidiFile(tracks=[track]).save(file=buffer)
    return buffer.getvalue()


def png_bytes():
    buffer = io.BytesIO()
    Image.fromarray(np.full((80, 20, 3), (0, 255, 0), np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def offer(*values):
    """Let a value be one of those that there are, or one that there is not."""
    return {"enum": [*values, *(("0" * 32, "") if isinstance(values[0], str) else (999, -1))]}


def with_ids(document, ids):
    """Offer ids and names that there are where a request speaks of one, and requests for takes that make sense."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                known = ids.get(parameter["name"])
                if known and f"{method.upper()} {path}" != ENDLESS:
                    parameter["schema"] = offer(*known)
    sent = document["components"]["schemas"]
    for schema, field, known in (
        ("NewTake", "song", ids["song"]),
        ("NewTake", "targets", [[{"kind": "label", "name": "bass"}], [{"kind": "prompts", "names": ["vocals"]}]]),
        ("NewTake", "settings", [{}, {"overlap": 0.5}]),
        ("NewTake", "region", [{"start": 0.0, "stop": 0.1}, None]),
        ("NewTake", "model", ["debug"]),
        ("NewTake", "parent", [*ids["take"], None]),
        ("FromSound", "sound", ids["sound"]),
    ):
        sent[schema]["properties"][field] = {"enum": known}
    return document


@pytest.fixture(scope="module")
def desk(tmp_path_factory, debug_weights):
    with serving(tmp_path_factory.mktemp("described"), debug_weights) as server:
        session = server.session()
        song = server.upload(session, wav_bytes(0.3))["id"]
        notes = server.upload(session, midi_bytes(), "song.mid")["id"]
        paint = server.upload(session, png_bytes(), "paint.png")["id"]
        take = server.finished(server.take(session, song)["id"])
        [job] = take["jobs"]
        ids = {
            "session": [session],
            "song": [song],
            "file": [song, notes, paint],
            "take": [take["id"]],
            "job": [job["id"]],
            "sound": [song, *(stem["sound"] for stem in job["stems"])],
            "start": [0, 10**6],
            "stop": [100, 10**6 + 1],
            "level": [0, 1],
            "tile": [0],
            "index": [0, 1, 2],
            "prompts": ["vocals drums"],
            "label": ["bass"],
            "model": ["debug"],
        }
        documents = [described(), with_ids(described(), ids)]
        schemas = [schemathesis.openapi.from_dict(document) for document in documents]
        yield Desk(server, session, song, take["id"], ids, *schemas)


def spare(desk, case):
    """Have what a request removes be something that no other one needs."""
    if case.method == "DELETE":
        [(what, word)] = case.path_parameters.items()
        if word in {desk.session, desk.song, desk.take}:
            case.path_parameters[what] = desk.expendable(what)


def answers_as_described(desk, examples, wanted):
    """Send what a strategy makes up, and hold the answers against the description."""

    @settings(
        max_examples=N_EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=examples)
    def answers(case):
        assume(len(str(case.query)) < 10_000)  # longer addresses are refused below the application, in its own words
        spare(desk, case)
        case.call_and_validate(base_url=str(desk.server.http.base_url), checks=wanted, timeout=600)

    try:
        answers()
    finally:
        for job in desk.server.studio.store.open_jobs():
            desk.server.studio.scheduler.cancel(job.id)


@pytest.mark.parametrize("route", OPERATIONS)
def test_what_is_described_is_answered_as_described(desk, route):
    examples = [one.find_operation_by_label(route).as_strategy() for one in (desk.likely, desk.schema)]
    answers_as_described(desk, examples[0] | examples[1], CONFORMANCE)


@pytest.mark.parametrize("route", [route for route, operation in OPERATIONS.items() if can_be_bad(operation)])
def test_what_is_not_described_is_refused_as_described(desk, route):
    operation = desk.schema.find_operation_by_label(route)
    known = {word: ids[0] for word, ids in desk.ids.items() if "{" + word + "}" in route and word not in NUMBERS}
    examples = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, path_parameters=known)
    answers_as_described(desk, examples, [*CONFORMANCE, checks.negative_data_rejection])
