"""Every promise about who may speak to the server."""

import pytest
from studio_server import wav_bytes

from unbraid.errors import SettingsError
from unbraid.server.attempts import MAX_WRONG, Attempts
from unbraid.server.refusals import TooManyTokens
from unbraid.server.security import Door, is_loopback

TOKEN = "a-token-of-many-letters"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_other_machines_need_a_token(host):
    with pytest.raises(SettingsError, match="--token"):
        Door(host)
    assert Door(host, TOKEN).knows_token(TOKEN)


def test_a_short_token_is_refused():
    with pytest.raises(SettingsError, match="16 letters"):
        Door(token="short")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("127.0.0.1:8642", True),
        ("localhost", True),
        ("[::1]:8642", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("192.168.1.5", False),
        ("evil.example@127.0.0.1", False),
        ("127.0.0.1/../", False),
        ("127.0.0.1:99999", False),
        ("", False),
        ("studio.lan", True),
        ("STUDIO.lan.", True),
    ],
)
def test_on_loopback_only_names_of_loopback_are_answered(name, is_known):
    assert Door(names=("studio.lan",)).knows_host(name) is is_known


def test_elsewhere_addresses_are_answered_and_foreign_names_are_not():
    door = Door("0.0.0.0", TOKEN)
    assert door.knows_host("192.168.1.5:8642")
    assert not door.knows_host("evil.example")


@pytest.mark.parametrize("where", ["/", "/health", "/metrics", "/api/sessions", "/api/openapi.json"])
def test_a_name_that_points_here_is_refused(server, where):
    error = server.refused("GET", where, 403, headers={"host": "evil.example"})
    assert error["type"] == "Forbidden"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "file://"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1@evil.example"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize(("method", "where"), [("POST", "/api/sessions"), ("GET", "/api/sessions")])
def test_other_sites_are_refused(server, headers, method, where):
    before = len(server.get("/api/sessions").json())
    assert server.refused(method, where, 403, headers=headers, json={})["type"] == "Forbidden"
    assert len(server.get("/api/sessions").json()) == before


def test_the_page_itself_is_let_in(server):
    base = str(server.http.base_url).rstrip("/")
    server.get("/api/sessions", headers={"origin": base, "sec-fetch-site": "same-origin"})


def test_a_link_from_elsewhere_opens_the_page_only(server):
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert server.http.get("/", headers=visit).status_code != 403
    server.refused("GET", "/api/sessions", 403, headers=visit)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, debug_weights):
    from studio_server import serving

    with serving(tmp_path_factory.mktemp("guarded"), debug_weights, door=Door(token=TOKEN)) as client:
        yield client


def test_who_guesses_has_to_wait(start):
    right = {"authorization": f"Bearer {TOKEN}"}
    with start(door=Door(token=TOKEN)) as server:
        for _ in range(2 * MAX_WRONG):  # a page with the token of yesterday is no guess
            server.refused("GET", "/api/sessions", 401, headers={"authorization": "Bearer of-yesterday"})
        server.get("/api/sessions", headers=right)
        for number in range(MAX_WRONG - 1):
            server.refused("GET", "/", 401, params={"token": f"guess {number}"})
        answer = server.http.get("/api/sessions", headers=right)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
        assert answer.json()["error"]["type"] == "TooManyTokens"
        server.get("/health")


def test_wrong_tokens_are_forgotten_by_and_by():
    now = 0.0
    attempts = Attempts(most=2, seconds=60.0, clock=lambda: now)
    for token in ("one", "two"):
        attempts.check("here")
        attempts.note("here", token)
    attempts.check("elsewhere")
    now = 59.0
    with pytest.raises(TooManyTokens, match="wait for 1 s"):
        attempts.check("here")
    now = 60.0
    attempts.check("here")
    attempts.note("here", "three")
    attempts.check("here")


def test_only_so_many_addresses_are_remembered():
    attempts = Attempts(most=1)
    for number in range(1025):
        attempts.note(f"address {number}", "wrong")
    attempts.check("address 0")
    with pytest.raises(TooManyTokens):
        attempts.check("address 1024")


@pytest.mark.parametrize("where", ["/metrics", "/api/sessions", "/api/models", "/api/openapi.json", "/"])
def test_without_the_token_nothing_is_answered(guarded, where):
    error = guarded.refused("GET", where, 401)
    assert error["type"] == "Unauthorized"
    guarded.refused("GET", where, 401, headers={"authorization": f"Bearer {TOKEN}x"})
    guarded.refused("GET", where, 401, headers={"authorization": f"Basic {TOKEN}"})
    guarded.refused("GET", where, 401, headers={"authorization": "Bearer"})
    guarded.refused("GET", where, 401, headers={"cookie": "unbraid-1=" + TOKEN})


def test_health_needs_no_token_and_tells_nothing(guarded):
    assert set(guarded.get("/health").json()) == {"status", "version", "workers"}


def test_the_token_comes_in_a_header(guarded):
    guarded.get("/api/sessions", headers={"authorization": f"Bearer {TOKEN}"})


def test_the_token_in_the_address_becomes_a_cookie(guarded):
    answer = guarded.get("/", 303, params={"token": TOKEN})
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    name, value = cookie.partition(";")[0].split("=")
    guarded.http.cookies.clear()
    guarded.get("/api/sessions", headers={"cookie": f"{name}={value}"})
    guarded.refused("GET", "/api/sessions", 401, headers={"cookie": f"{name}={value}x"})
    assert guarded.refused("GET", "/", 401, params={"token": "wrong"})["type"] == "Unauthorized"
    others = 'a=[1, 2]; {"b": 3}; c d=e'  # cookies know no ports: those of other programs of this machine come along
    guarded.get("/api/sessions", headers={"cookie": f"{others}; {name}={value}"})


def test_a_token_in_the_address_of_anything_else_is_worth_nothing(guarded):
    guarded.refused("GET", "/api/sessions", 401, params={"token": TOKEN})


def test_even_the_cookie_does_not_let_other_sites_in(guarded):
    headers = {"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}
    guarded.refused("POST", "/api/sessions", 403, headers=headers, json={})


def test_every_answer_keeps_the_page_to_itself(server):
    for answer in (server.get("/health"), server.http.get("/api/nothing"), server.http.get("/api/sessions/x")):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
    assert server.get("/api/sessions").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "where",
    [
        "/api/files/..%2f..%2fstudio.sqlite3",
        "/api/files/%2e%2e/content",
        "/api/files/" + "0" * 31 + "%2f/content",
        "/api/sounds/..%2f..%2fstudio.sqlite3/audio",
        "/api/sounds/" + "0" * 32 + "-0%2f../samples?start=0&stop=1",
        "/api/sounds/" + "0" * 32 + "-9999/audio",
        "/api/sessions/%00",
        "/api/takes/" + "A" * 32,
        "/api/jobs/" + "0" * 32 + "%0a",
        "/../../etc/passwd",
        "/static/../app.py",
    ],
)
def test_paths_lead_nowhere(server, where):
    assert server.http.get(where).status_code in {404, 422}


def test_the_name_of_a_file_never_becomes_a_path(server):
    session = server.session()
    file = server.upload(session, wav_bytes(0.2), name="../../../../tmp/evil\x00.wav")
    assert file["name"] == "evil.wav"
    names = {path.name for path in server.studio.folder.file(file["id"]).iterdir()}
    assert "original" in names
    assert not any("evil" in name for name in names)
    header = server.get(f"/api/files/{file['id']}/content").headers["content-disposition"]
    assert header == 'attachment; filename="evil.wav"'


def test_the_data_folder_is_the_owners(server):
    assert server.data_dir.stat().st_mode & 0o077 == 0 or (server.data_dir / "files").stat().st_mode & 0o077 == 0


def test_a_large_body_is_refused(server):
    error = server.refused("POST", "/api/sessions", 413, content=b'{"title": "' + b"x" * (5 << 20) + b'"}')
    assert error["type"] == "TooLarge"
    assert "4 MiB" in error["message"]


@pytest.mark.parametrize(
    ("method", "where"),
    [("PATCH", "/api/sessions/import"), ("PATCH", "/api/sessions/files"), ("PATCH", "/api/takes/paint")],
)
def test_a_large_body_is_refused_although_the_address_looks_like_that_of_an_upload(server, method, where):
    content = b'{"title": "' + b"x" * (5 << 20) + b'"}'
    assert server.refused(method, where, 413, content=content)["type"] == "TooLarge"


def test_no_browser_form_can_begin_anything(server):
    """Forms of other sites are stopped by their origin; this is the second line: their content types mean nothing."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert (
            server.http.post("/api/sessions", content=b'{"title": "x"}', headers={"content-type": kind}).status_code
            == 422
        )
