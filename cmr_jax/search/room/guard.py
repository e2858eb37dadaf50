"""Who may ask the room, and what every answer says to a browser.

On the machine itself anybody who is logged in there may ask.  Anything wider needs a token, once, which
a cookie stands for from then on.  Requests that change or ask something are JSON, which a page of another
origin cannot send without being asked back (and that is refused).
"""

import hmac
import http.cookies
import ipaddress
import json
import logging
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 16_384  # bytes of a request
COOKIE = "cmr_jax_room"
SESSION_S = 12 * 3600
LOGIN, LOGIN_FAILURES, WINDOW_S = "/login", 5, 60.0
OPEN_PATHS = frozenset({LOGIN, "/login.html", "/login.js", "/room.css"})
ASKED_A_SECOND, BURST = 20.0, 60  # of one visitor, where a token is needed
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """How the room is open."""

    hosts: frozenset[str]  # names (with ports) that it is asked under
    token: str = ""  # "": none is needed
    secure: bool = False  # browsers come by https, through a proxy


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Limit:
    """At most so many a second of each visitor, and some more at once."""

    def __init__(self, a_second: float, burst: int):
        self._rate, self._burst = a_second, burst
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, who: str) -> bool:
        """Counts one."""
        with self._lock:
            now = time.monotonic()
            if len(self._left) > 10_000:  # visitors who are long gone
                self._left.clear()
            left, last = self._left.get(who, (float(self._burst), now))
            left = min(self._burst, left + (now - last) * self._rate)
            self._left[who] = (max(left - 1, 0), now)
            return left >= 1


@dataclass
class Guard:
    """Stands before the app."""

    app: ASGIApp
    rules: Rules
    _sessions: dict[str, float] = field(default_factory=dict)
    _asked: Limit = field(default_factory=lambda: Limit(ASKED_A_SECOND, BURST))
    _failed: Limit = field(default_factory=lambda: Limit(LOGIN_FAILURES / WINDOW_S, LOGIN_FAILURES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        refused = self._refused(scope, headers)
        body = b""
        if refused is None and scope["method"] == "POST":
            body, refused = await _whole(receive)
        if refused is None and scope["path"] == LOGIN and scope["method"] == "POST":
            refused = self._login(scope, body)
        if refused is not None:
            await refused(scope, receive, with_headers)
            return

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again if scope["method"] == "POST" else receive, with_headers)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        who, path = visitor(scope), scope["path"]
        if headers.get("host", "").lower() not in self.rules.hosts:
            log.warning("%s asked under another name", who)
            return _no(421, "this is not the host that was asked for")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _no(405, "GET and POST")
        if scope["method"] == "POST":
            if headers.get("content-type", "").split(";")[0].strip() != "application/json":
                return _no(415, "requests are JSON")
            origin = headers.get("origin")
            if origin is not None and origin.partition("://")[2].lower() not in self.rules.hosts:
                log.warning("%s sent a request from another page", who)
                return _no(403, "requests come from this page alone")
            if not headers.get("content-length", "0").isdigit():
                return _no(400, "a length is a number")
            if int(headers.get("content-length", "0")) > LARGEST_BODY:
                return _no(413, "that is too long")
        if not self.rules.token or path in OPEN_PATHS:
            return None
        if not self._known(headers):
            return _no(401, "log in first") if path != "/" else RedirectResponse("/login.html", 303)
        if not self._asked.allows(who):
            return _no(429, "too much at once; wait a second")
        return None

    def _known(self, headers: dict[str, str]) -> bool:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if given and self._is_token(given):
            return True
        try:
            cookie = http.cookies.SimpleCookie(headers.get("cookie", ""))
        except http.cookies.CookieError:
            return False
        session = cookie[COOKIE].value if COOKIE in cookie else ""
        return self._sessions.get(session, 0.0) > time.monotonic()

    def _is_token(self, given: Any) -> bool:
        """In a time that tells nothing."""
        return hmac.compare_digest(str(given).encode(), self.rules.token.encode())

    def _login(self, scope: Scope, body: bytes) -> Response:
        who = visitor(scope)
        try:
            given = json.loads(body)["token"]
        except (KeyError, TypeError, ValueError, RecursionError):
            return _no(400, "send a token")
        if not self.rules.token or not self._is_token(given):
            if not self._failed.allows(who):
                return _no(429, "too many tries; wait a minute")
            log.warning("%s tried a wrong token", who)
            return _no(401, "that is not the token")
        session = secrets.token_urlsafe(32)
        now = time.monotonic()
        self._sessions = {k: end for k, end in self._sessions.items() if end > now}
        self._sessions[session] = now + SESSION_S
        response = JSONResponse({"welcome": True})
        response.set_cookie(
            COOKIE,
            session,
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=self.rules.secure,
        )
        return response


def visitor(scope: Scope) -> str:
    """The address that a request came from."""
    return str((scope.get("client") or ("unknown",))[0])


async def _whole(receive: Receive) -> tuple[bytes, Response | None]:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return b"", _no(413, "that is too long")
        if not message.get("more_body"):
            return body, None


def _no(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)
