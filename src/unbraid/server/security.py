"""Who may speak to the server: the host by which it is called, the site that the call comes from, and the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unbraid.errors import SettingsError
from unbraid.server.attempts import SECONDS, Attempts
from unbraid.server.refusals import Forbidden, Refusal, TooManyTokens, Unauthorized, error_document

MIN_TOKEN = 16
OPEN_PATHS = frozenset({"/health"})
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Door:
    """Who is let in.

    Args:
        host: on which the server listens.
        token: that every call must bring; None where only this machine can call.
        names: by which the server may be called, beside those of this machine.

    Raises:
        SettingsError: if others can call and there is no token, or the token is short.

    Example:
        >>> Door("0.0.0.0")
        Traceback (most recent call last):
        unbraid.errors.SettingsError: --host 0.0.0.0 lets other machines in: give a --token of 16 letters ...
    """

    host: str = "127.0.0.1"
    token: str | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise SettingsError(
                f"--host {self.host} lets other machines in: give a --token of {MIN_TOKEN} letters "
                f"or more, such as {secrets.token_urlsafe(24)}"
            )
        if self.token is not None and (len(self.token) < MIN_TOKEN or not self.token.isascii()):
            raise SettingsError(f"the token is too short or no ASCII: give {MIN_TOKEN} letters or more")

    def knows_host(self, name: str) -> bool:
        """Whether the server is called by a name of its own, and not by one that somebody has pointed at it."""
        called = _host_of(name)
        if called is None:
            return False
        if called in {one.casefold() for one in self.names} or is_loopback(called):
            return True
        if is_loopback(self.host):
            return False
        return _is_address(called) or called in {self.host.casefold(), socket.gethostname().casefold()}

    def knows_token(self, given: str | None) -> bool:
        """Compare in a time that tells nothing."""
        if self.token is None:
            return True
        one, other = (hashlib.sha256((text or "").encode()).digest() for text in (given, self.token))
        return hmac.compare_digest(one, other)


def _host_of(name: str) -> str | None:
    """Return the host of a ``Host`` header without its port, None if it is none."""
    try:
        split = urlsplit(f"//{name}")
        split.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return None
    if split.path or split.query or split.fragment or "@" in name or not split.hostname:
        return None
    return split.hostname.casefold().rstrip(".")


def _is_at(origin: str, host: str) -> bool:
    """Whether an ``Origin`` is a page of the server that a ``Host`` header names."""
    scheme, _, called = origin.casefold().partition("://")
    return scheme in {"http", "https"} and called == host.casefold()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware: refuses what the door does not let in, and sends the headers that keep a page to itself."""

    def __init__(self, app: ASGIApp, *, door: Door, cookie: str) -> None:
        self._app = app
        self._door = door
        self._cookie = cookie
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call in, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, send_safely)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a call that is not let in; None lets it in."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_site(scope, headers)
            return self._check_token(scope, headers)
        except Refusal as refusal:
            extra = {"www-authenticate": "Bearer"} if isinstance(refusal, Unauthorized) else {}
            extra |= {"retry-after": f"{SECONDS:.0f}"} if isinstance(refusal, TooManyTokens) else {}
            return JSONResponse(error_document(refusal), refusal.status, extra)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._door.knows_host(hosts[0]):
            raise Forbidden(
                "the server is called by a name that is not its own: use 127.0.0.1, or start it with --allow-host"
            )

    def _check_site(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another web site has a browser send."""
        origin = headers.get("origin")
        if origin is not None and not _is_at(origin, headers["host"]):
            raise Forbidden("the request comes from another site: open the studio itself")
        is_visit = scope["method"] == "GET" and scope["path"] == "/" and headers.get("sec-fetch-mode", "") == "navigate"
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not is_visit:
            raise Forbidden("the request comes from another site: open the studio itself")

    def _check_token(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse a call without the token; turn one that brings it in the address into a cookie."""
        if scope["path"] in OPEN_PATHS or self._door.token is None:
            return None
        address = (scope.get("client") or ("",))[0]
        self._attempts.check(address)
        asked: Sequence[str] = parse_qs(scope["query_string"].decode("latin-1")[:4096]).get("token", [])
        if scope["path"] == "/" and scope["method"] == "GET" and asked:
            if not self._door.knows_token(asked[0]):
                self._attempts.note(address, asked[0])
                raise Unauthorized("the token is wrong: copy the address that the studio printed")
            answer = RedirectResponse("/", 303)
            is_safe = scope.get("scheme") == "https"
            answer.set_cookie(self._cookie, asked[0], httponly=True, samesite="strict", secure=is_safe, path="/")
            return answer
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.casefold() == "bearer" else self._cookie_of(headers)
        if not self._door.knows_token(given):
            if given:
                self._attempts.note(address, given)
            raise Unauthorized("the token is missing or wrong: open the address that the studio printed")
        return None

    def _cookie_of(self, headers: Headers) -> str | None:
        return cookie_parser(headers.get("cookie", "")).get(self._cookie)  # does not stumble over those of others
