"""`POST /api/separate` keeps session, file, take and job at once, or none of them."""

import pytest
from studio_server import wav_bytes

WHERE = "/api/separate?name=song.wav&prompts=vocals+drums&model=debug"


def test_there_is_no_session_before_the_song_has_arrived(start):
    song, seen = wav_bytes(0.5), []

    with start() as server:

        def body():
            yield song[:1000]
            server.until("/health", lambda _: any((server.data_dir / "uploads").iterdir()))
            seen.append(server.get("/api/sessions").json())
            yield song[1000:]

        begun = server.post(WHERE, 202, content=body()).json()
        assert seen == [[]]
        document = server.get(f"/api/sessions/{begun['session']}").json()
        assert [one["id"] for one in document["files"]] == [begun["file"]]
        assert [one["id"] for one in document["takes"]] == [begun["take"]["id"]]
        assert server.finished(begun["take"]["id"])["jobs"][0]["state"] == "done"


@pytest.mark.parametrize("limits", [{"session_waiting": 0}, {"sessions": 0}, {"session_bytes": 1000}])
def test_what_is_refused_in_the_end_leaves_nothing(start, limits):
    with start(**limits) as server:
        server.refused("POST", WHERE, 429, content=wav_bytes(0.5))
        assert server.get("/api/sessions").json() == []
        for folder in ("files", "uploads"):
            assert list((server.data_dir / folder).iterdir()) == []
