"""A small identity provider: OpenID Connect on a loopback port, in a thread of its own.

    with IdentityProvider(client_id="chopmark", client_secret="…") as provider:
        provider.redirect_uris.add("http://localhost:8000/accounts/oidc/house/login/callback/")
        provider.person = {"sub": "1", "email": "mei@example.com", "email_verified": True, "name": "Mei Lan"}

The authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636), and no other: discovery, a page that asks
the person, the token endpoint with an RS256 id_token, the key set, userinfo. It is strict, and keeps what it refused
in `refused`: an address to come back to that was not registered, a request without state or without an S256
challenge, a code that comes twice, late, from another client or with another verifier.

`silent` makes it answer 503 to everything. Knows no sessions, no refresh, no logout.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from world.patience import HANG

CODE_LIFE = 60
TOKEN_LIFE = 300
KEY_ID = "house-1"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>House of keys</title>
<link rel="icon" href="data:,"></head><body><main><h1>House of keys</h1><p>{who}</p>
<p><a href="{yes}">Continue</a></p><p><a href="{no}">Cancel</a></p></main></body></html>"""


class Wrong(Exception):
    """A request that is not answered as asked; the text is what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A code that was handed out."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    person: dict[str, Any]
    until: float


class IdentityProvider:
    """The provider; `person` is who sits in front of it."""

    def __init__(self, *, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.redirect_uris: set[str] = set()
        self.person: dict[str, Any] = {}
        self.refused: list[str] = []
        self.silent = False
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._grants: dict[str, Grant] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="identity provider")

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(HANG)

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }

    def jwks(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        modulus, exponent = (_b64(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": modulus, "e": exponent}]}

    def ask(self, query: dict[str, str]) -> str:
        """The page that asks the person, or `Wrong`: to an unknown address nobody is ever sent back."""
        if query.get("client_id") != self.client_id:
            raise Wrong("unknown client")
        if query.get("redirect_uri") not in self.redirect_uris:
            raise Wrong(f"redirect_uri is not registered: {query.get('redirect_uri')}")
        wanted = {
            "response_type": query.get("response_type") == "code",
            "scope": "openid" in query.get("scope", "").split(),
            "state": len(query.get("state", "")) >= 8,
            "code_challenge": len(query.get("code_challenge", "")) == 43,
            "code_challenge_method": query.get("code_challenge_method") == "S256",
        }
        if missing := [name for name, right in wanted.items() if not right]:
            raise Wrong(f"wrong in the request: {missing}")
        code = secrets.token_urlsafe(24)
        self._grants[code] = Grant(
            client_id=self.client_id,
            redirect_uri=query["redirect_uri"],
            challenge=query["code_challenge"],
            nonce=query.get("nonce", ""),
            person=dict(self.person),
            until=time.time() + CODE_LIFE,
        )
        yes, no = (
            html.escape(f"{query['redirect_uri']}?{urlencode(more | {'state': query['state']})}")
            for more in ({"code": code}, {"error": "access_denied"})
        )
        return PAGE.format(who=html.escape(str(self.person.get("email", "nobody"))), yes=yes, no=no)

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """An access token and an id_token for a code."""
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            client, _, secret = map(unquote, base64.b64decode(authorization[6:]).decode().partition(":"))
        if client != self.client_id or not hmac.compare_digest(secret, self.client_secret):
            raise Wrong("the client did not prove itself")
        grant = self._grants.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or grant is None or grant.until < time.time():
            raise Wrong("no such code")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Wrong("another redirect_uri than before")
        if _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest()) != grant.challenge:
            raise Wrong("the verifier does not fit the challenge")
        now, access = int(time.time()), secrets.token_urlsafe(24)
        claims = {"iss": self.url, "aud": grant.client_id, "iat": now, "exp": now + TOKEN_LIFE, **grant.person}
        if grant.nonce:
            claims["nonce"] = grant.nonce
        self._tokens[access] = grant.person
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE,
            "id_token": self._signed(claims),
        }

    def userinfo(self, authorization: str) -> dict[str, Any]:
        try:
            return self._tokens[authorization.removeprefix("Bearer ")]
        except KeyError as error:
            raise Wrong("no such access token") from error

    def _signed(self, claims: dict[str, Any]) -> str:
        """A JWS in the compact form (RFC 7515), RS256."""
        header = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        text = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{_b64(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Server(ThreadingHTTPServer):
    """Listens for one provider."""

    daemon_threads = True

    def __init__(self, provider: IdentityProvider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._serve(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        self._serve(dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())))

    def _serve(self, values: dict[str, str]) -> None:
        provider, authorization = self.server.provider, self.headers.get("Authorization", "")
        doors: dict[str, Callable[[], str | dict[str, Any]]] = {
            "GET /.well-known/openid-configuration": provider.discovery,
            "GET /authorize": lambda: provider.ask(values),
            "POST /token": lambda: provider.token(values, authorization),
            "GET /jwks": provider.jwks,
            "GET /userinfo": lambda: provider.userinfo(authorization),
        }
        door = doors.get(f"{self.command} {urlsplit(self.path).path}")
        if provider.silent:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "temporarily_unavailable"})
        elif door is None:
            self._send(HTTPStatus.NOT_FOUND, {"error": "not_found"})
        else:
            try:
                self._send(HTTPStatus.OK, door())
            except Wrong as error:
                provider.refused.append(str(error))
                self._send(HTTPStatus.BAD_REQUEST, {"error": "invalid_request", "error_description": str(error)})

    def _send(self, status: HTTPStatus, body: str | dict[str, Any]) -> None:
        page = isinstance(body, str)
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8" if page else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: the test looks into `refused`."""
