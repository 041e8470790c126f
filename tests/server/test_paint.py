"""The paint on a song is kept beside it, however much there is."""

import json

from studio_server import wav_bytes

STROKES = json.dumps({"t1": [{"kind": "brush", "steps": [3, -1] * 1000}] * 300}).encode()


def test_two_megabytes_of_strokes_are_kept_and_replaced(server):
    assert len(STROKES) > 2_000_000
    session = server.session()
    song = server.upload(session)["id"]
    before = server.get(f"/api/sessions/{session}").json()["stored_bytes"]
    assert server.get(f"/api/files/{song}/paint", 204).content == b""
    for paint in (STROKES, b"{}", STROKES):
        assert server.http.put(f"/api/files/{song}/paint", content=paint).status_code == 204
        assert server.get(f"/api/files/{song}/paint").content == paint
        assert server.get(f"/api/sessions/{session}").json()["stored_bytes"] == before + len(paint)
    assert not list((server.data_dir / "uploads").iterdir())


def test_a_session_file_takes_paint_and_page_along(server):
    session = server.session()
    song = server.upload(session)["id"]
    server.http.put(f"/api/files/{song}/paint", content=STROKES)
    server.http.patch(f"/api/sessions/{session}", json={"page": {"song": song, "desks": {song: {"draft": {}}}}})
    data = server.get(f"/api/sessions/{session}/export").content
    opened = server.post("/api/sessions/import", content=data).json()
    [file] = opened["files"]
    assert server.get(f"/api/files/{file['id']}/paint").content == STROKES
    assert opened["page"] == {"song": file["id"], "desks": {file["id"]: {"draft": {}}}}


def test_paint_has_limits_that_are_told(start):
    with start(paint_bytes=1024) as server:
        session = server.session()
        song = server.upload(session, wav_bytes(0.2))["id"]
        assert server.http.put(f"/api/files/{song}/paint", content=b"x" * 1024).status_code == 204
        error = server.refused("PUT", f"/api/files/{song}/paint", 413, content=b"x" * 1025)
        assert "the paint takes more than 1 KiB" in error["message"]
        assert server.get(f"/api/files/{song}/paint").content == b"x" * 1024, "what was kept before is whole"
        server.refused("PUT", f"/api/files/{song}/paint", 422, content=b"")
        server.refused("PUT", f"/api/files/{'0' * 32}/paint", 404, content=b"x")
        server.refused("GET", f"/api/files/{'0' * 32}/paint", 404)
