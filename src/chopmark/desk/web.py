"""A desk over HTTP: what platforms call (see `wire`), and the pages of its clerks.

    GET  /                    cases                    GET/POST /sign-in     POST /sign-out
    GET  /cases/<token>       one case                 POST /cases/<token>   a decision
    GET  /cases/<token>/bundle.asice                   POST /language
    GET  /card.json  /healthz  /style.css

Calls of platforms are authenticated by RFC 9421 signatures, clerks by a session's cookie; a form carries the session's
token. Pages hold no script. Bodies are bounded. What goes wrong leaves as a code and a sentence, never as a trace.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from hmac import compare_digest
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import falcon

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.wording import Language, catalogue, say
from chopmark.desk import codec, pages
from chopmark.desk.clerks import SESSION, Clerks, Session
from chopmark.desk.office import Decision, Office
from chopmark.desk.wire import PIECE, Filing, Order, Taken, Withdrawal
from chopmark.member.httpsig import Gate
from chopmark.member.logs import Lines

MAX_BODY = PIECE + 1024
MAX_FORM = 256 * 1024
LANGUAGE_COOKIE = "desk_language"
HTML = "text/html; charset=utf-8"
OCTETS = "application/octet-stream"
PROBLEM = "application/problem+json"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_STATUSES: dict[type[PlatformError], int] = {Refused: 403, Invalid: 400, Unavailable: 503}
_FINER = {
    "desk.case_unknown": 404,
    "desk.token_taken": 409,
    "desk.piece_wrong": 409,
    "desk.step_not_allowed": 409,
    "desk.signing_begun": 409,
    "desk.message_too_large": 413,
    "desk.sign_in_locked": 429,
    "member.call_unsigned": 401,
    "member.call_repeated": 401,
}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


def application(office: Office, clerks: Clerks, lines: Lines) -> Callable[..., Iterable[bytes]]:
    """The WSGI application of a desk."""
    app = falcon.App(middleware=[_Common()], media_type=HTML)
    app.set_error_serializer(_problem)
    app.add_error_handler(PlatformError, _trouble)
    app.add_error_handler(Exception, _bug(lines))
    api, desk = _Calls(office), _Pages(office, clerks)
    for path, resource, suffix in (
        ("/api/filings", api, "filing"),
        ("/api/orders", api, "order"),
        ("/api/withdrawals", api, "withdrawal"),
        ("/api/cases/{token}", api, "status"),
        ("/api/cases/{token}/bundle", api, "bundle"),
        ("/card.json", api, "card"),
        ("/healthz", api, "health"),
        ("/", desk, "list"),
        ("/sign-in", desk, "sign_in"),
        ("/sign-out", desk, "sign_out"),
        ("/language", desk, "language"),
        ("/cases/{token}", desk, "case"),
        ("/cases/{token}/bundle.asice", desk, "bundle"),
        ("/style.css", desk, "style"),
    ):
        app.add_route(path, resource, suffix=suffix)
    return app


# ---- what platforms call ---------------------------------------------------------------------------------------------


class _Calls:
    """Messages of platforms."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._gates: dict[tuple[str, str], Gate] = {}
        self._changing = threading.Lock()

    def on_post_filing(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A filing, or its next revision."""
        body, origin = self._admitted(req, codec.MAX_MESSAGE)
        _give(resp, self._office.take(codec.parse(Filing, body), origin, clock.now()))

    def on_post_order(self, req: falcon.Request, resp: falcon.Response) -> None:
        """An order, or its next revision."""
        body, origin = self._admitted(req, codec.MAX_MESSAGE)
        _give(resp, self._office.take(codec.parse(Order, body), origin, clock.now()))

    def on_post_withdrawal(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A case is taken back."""
        body, origin = self._admitted(req, codec.MAX_MESSAGE)
        _give(resp, self._office.withdraw(codec.parse(Withdrawal, body), origin, clock.now()))

    def on_get_status(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """How a case stands."""
        _, origin = self._admitted(req, 0)
        _give(resp, self._office.status(_token(token), origin))

    def on_put_bundle(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """The next piece of its bundle."""
        body, origin = self._admitted(req, PIECE)
        _give(resp, self._office.piece(_token(token), origin, _offset(req), body, clock.now()))

    def on_get_bundle(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """A piece of the bundle that was signed here."""
        _, origin = self._admitted(req, 0)
        resp.content_type = OCTETS
        resp.data = self._office.signed_piece(_token(token), origin, _offset(req))

    def on_get_card(self, req: falcon.Request, resp: falcon.Response) -> None:  # noqa: ARG002 (falcon's form)
        """The card."""
        resp.content_type = "application/json"
        resp.data = codec.canonical(self._office.home.card())

    def on_get_health(self, req: falcon.Request, resp: falcon.Response) -> None:  # noqa: ARG002 (the same)
        """Whether the desk works."""
        resp.content_type = "text/plain"
        resp.data = b"ok\n"

    def _admitted(self, req: falcon.Request, limit: int) -> tuple[bytes, str]:
        """The body, and the log of the platform that signed the call.

        Raises:
            Refused: `member.call_unsigned`, `member.call_repeated`.
            Invalid: `desk.message_too_large`.
        """
        if (req.content_length or 0) > limit:
            raise Invalid("desk.message_too_large", limit=limit)
        body = req.bounded_stream.read(limit + 1) if limit else b""
        if len(body) > limit:
            raise Invalid("desk.message_too_large", limit=limit)
        target = req.relative_uri
        cards = self._office.home.platform_cards()
        with self._changing:  # two gates for one platform would each let the same call through
            gates = self._gates = {
                (card.origin, card.node): self._gates.get((card.origin, card.node)) or Gate(card.origin, [card.key])
                for card in cards.values()
            }
        refused = Refused("member.call_unsigned", origin=", ".join(cards) or "-")
        for (origin, _), gate in gates.items():
            try:
                gate.admit(req.method, target, req.headers, body)
            except Refused as error:
                refused = error if error.code != "member.call_unsigned" else refused
            else:
                return body, origin
        raise refused


def _give(resp: falcon.Response, taken: Taken) -> None:
    resp.content_type = "application/json"
    resp.data = codec.canonical(taken)


def _token(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused("desk.case_unknown") from error


def _offset(req: falcon.Request) -> int:
    asked = req.get_param("offset", default="")
    if _NUMBER.fullmatch(asked) is None:
        raise Invalid("desk.piece_wrong", has=0)
    return int(asked)


# ---- pages of clerks -------------------------------------------------------------------------------------------------


class _Pages:
    """What clerks see and do."""

    def __init__(self, office: Office, clerks: Clerks) -> None:
        self._office = office
        self._clerks = clerks
        self._secure = office.settings.url.startswith("https:")
        # Cookies know no ports: two desks of one machine keep theirs apart by name.
        self._cookie = f"{'__Host-' if self._secure else ''}desk_{_safe(office.settings.name)}"

    def on_get_list(self, req: falcon.Request, resp: falcon.Response) -> None:
        """All cases, or those of one state."""
        session = self._session(req)
        if session is None:
            raise falcon.HTTPSeeOther("/sign-in")
        state = req.get_param("state", default="")
        shown = self._office.cases(state if state in pages.STATES else "")
        html = pages.cases(
            self._office.settings, session, _language(req), shown=shown, counts=self._office.counts(), state=state
        )
        _html(resp, html, _language(req))

    def on_get_case(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """One case."""
        session = self._session(req)
        if session is None:
            raise falcon.HTTPSeeOther("/sign-in")
        self._show(req, resp, session, token)

    def on_post_case(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """A decision."""
        form, session = self._form(req)
        try:
            decision = _decision(form)
            self._office.decide(_token(token), decision, session.clerk, clock.now())
        except (Refused, Invalid) as error:
            if error.code == "desk.case_unknown":
                raise
            self._show(req, resp, session, token, error=error, form=form)
            resp.status = falcon.HTTP_422
            return
        raise falcon.HTTPSeeOther(f"/cases/{_token(token)}")

    def on_get_bundle(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """The bundle, to be opened where no network is."""
        if self._session(req) is None:
            raise falcon.HTTPSeeOther("/sign-in")
        case = self._office.case(_token(token))
        path = self._office.bundle_path(_token(token))
        resp.content_type = "application/vnd.etsi.asic-e+zip"
        resp.set_header("Content-Disposition", f'attachment; filename="{_safe(case.message.bundle.number)}.asice"')
        resp.set_stream(path.open("rb"), path.stat().st_size)

    def on_get_sign_in(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The form."""
        _html(resp, pages.sign_in(self._office.settings, _language(req)), _language(req))

    def on_post_sign_in(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Sign in."""
        form = _read_form(req, self._office.settings.url)
        address = req.remote_addr or ""
        try:
            token = self._clerks.sign_in(form.get("name", ""), form.get("password", ""), address, time.time())
        except Refused as error:
            language = _language(req)
            _html(resp, pages.sign_in(self._office.settings, language, error, form.get("name", "")), language)
            resp.status = falcon.HTTP_429 if error.code == "desk.sign_in_locked" else falcon.HTTP_403
            return
        self._clerks.sign_out(req.cookies.get(self._cookie, ""))
        self._set_cookie(resp, self._cookie, token, int(SESSION))
        resp.status, resp.location = falcon.HTTP_303, "/"

    def on_post_sign_out(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Sign out."""
        self._form(req)
        self._clerks.sign_out(req.cookies.get(self._cookie, ""))
        self._set_cookie(resp, self._cookie, "", 0)
        resp.status, resp.location = falcon.HTTP_303, "/sign-in"

    def on_post_language(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Read on in the other language, on the same page."""
        form = _read_form(req, self._office.settings.url)
        self._set_cookie(resp, LANGUAGE_COOKIE, "zh" if form.get("to") == "zh" else "en", 365 * 86400)
        back = form.get("back", "/")
        resp.status = falcon.HTTP_303
        resp.location = back if re.fullmatch(r"/(cases/[0-9a-f-]{36}|sign-in)?", back) else "/"

    def on_get_style(self, req: falcon.Request, resp: falcon.Response) -> None:  # noqa: ARG002 (falcon's form)
        """The pages' style."""
        resp.content_type, resp.data = "text/css; charset=utf-8", _style()

    def _show(  # noqa: PLR0917 (the parts of one answer)
        self,
        req: falcon.Request,
        resp: falcon.Response,
        session: Session,
        token: str,
        error: PlatformError | None = None,
        form: dict[str, str] | None = None,
    ) -> None:
        case = self._office.case(_token(token))
        language = _language(req)
        _html(resp, pages.case(self._office.settings, session, language, shown=case, error=error, form=form), language)

    def _session(self, req: falcon.Request) -> Session | None:
        return self._clerks.session(req.cookies.get(self._cookie, ""), time.time())

    def _form(self, req: falcon.Request) -> tuple[dict[str, str], Session]:
        """A form that a clerk sent from a page of this desk.

        Raises:
            Refused: `desk.sign_in_first`, `desk.form_foreign`.
        """
        session = self._session(req)
        if session is None:
            raise Refused("desk.sign_in_first")
        form = _read_form(req, self._office.settings.url)
        if not compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
            raise Refused("desk.form_foreign")
        return form, session

    def _set_cookie(self, resp: falcon.Response, name: str, value: str, age: int) -> None:
        resp.set_cookie(name, value, max_age=age, path="/", secure=self._secure, http_only=True, same_site="Strict")


def _read_form(req: falcon.Request, url: str) -> dict[str, str]:
    """The fields of a form, the first of each name.

    Raises:
        Invalid: `desk.form_malformed`, `desk.message_too_large`.
        Refused: `desk.form_foreign` when a browser says that another site sent it.
    """
    origin = req.get_header("Origin")
    hosts = (urlsplit(url).netloc, req.netloc)
    if origin is not None and origin not in {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}:
        raise Refused("desk.form_foreign")
    if (req.content_length or 0) > MAX_FORM:
        raise Invalid("desk.message_too_large", limit=MAX_FORM)
    if not (req.content_type or "").startswith("application/x-www-form-urlencoded"):
        raise Invalid("desk.form_malformed")
    try:
        fields = parse_qs(req.bounded_stream.read(MAX_FORM).decode(), keep_blank_values=True, max_num_fields=64)
    except (ValueError, UnicodeDecodeError) as error:
        raise Invalid("desk.form_malformed") from error
    return {name: values[0] for name, values in fields.items()}


def _decision(form: dict[str, str]) -> Decision:
    """What a clerk's form decides.

    Raises:
        Invalid: `desk.form_malformed`.
    """
    step = form.get("step", "")
    if step not in pages.STEPS:
        raise Invalid("desk.form_malformed")
    try:
        text = codec.text(form.get("reasons", "").replace("\r\n", "\n").strip())
        reasons = tuple(line.strip() for line in text.split("\n\n") if line.strip())
        when = form.get("when", "").strip()
        fee = form.get("fee", "").strip()
        return Decision(
            step=step,
            reasons=reasons,
            number=codec.text(form.get("number", "").strip()[:100]),
            when=_moment(when) if when else None,
            place=codec.text(form.get("place", "").strip()[:300]),
            fee_fen=pages.fen_of(fee) if fee else None,
        )
    except ValueError as error:
        raise Invalid("desk.form_malformed") from error


def _moment(typed: str) -> datetime:
    moment = datetime.strptime(typed, "%Y-%m-%dT%H:%M").replace(tzinfo=pages.ZONE)
    if moment.year - 1 not in codec.YEARS or moment.year + 1 not in codec.YEARS:
        raise ValueError(typed)
    return moment


def _html(resp: falcon.Response, html: str, language: Language) -> None:
    resp.content_type = HTML
    resp.set_header("Content-Language", "zh-Hans" if language == "zh" else "en")
    resp.append_header("Vary", "Accept-Language, Cookie")
    resp.data = html.encode("utf-8", "replace")


def _language(req: falcon.Request) -> Language:
    """The reader's choice, else the first of zh and en that the browser names, else Chinese: a court's desk."""
    chosen = req.cookies.get(LANGUAGE_COOKIE, "")
    for name in [chosen, *(req.get_header("Accept-Language") or "")[:200].lower().split(",")]:
        for language in ("zh", "en"):
            if name.strip().startswith(language):
                return language
    return "zh"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:80]


@cache
def _style() -> bytes:
    return files("chopmark.desk").joinpath("html/style.css").read_bytes()


# ---- what all of them have -----------------------------------------------------------------------------------------


class _Common:
    """Headers of every answer."""

    def process_response(
        self,
        req: falcon.Request,  # noqa: ARG002 (falcon's form)
        resp: falcon.Response,
        resource: object,  # noqa: ARG002 (the same)
        req_succeeded: bool,  # noqa: ARG002, FBT001 (the same)
    ) -> None:
        """Add them."""
        for name, value in _HEADERS.items():
            resp.set_header(name, value)


def _trouble(req: falcon.Request, resp: falcon.Response, error: PlatformError, _params: dict[str, Any]) -> None:
    kind = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
    status = _FINER.get(error.code, kind)
    if req.path.startswith("/api/") or "text/html" not in (req.get_header("Accept") or ""):
        _answer(resp, status, error.code, say(error.code, error.facts, "en"), say(error.code, error.facts, "zh"))
        return
    language = _language(req)
    _html(resp, pages.trouble(error, language), language)
    resp.status = status


def _bug(lines: Lines) -> Callable[..., None]:
    def answer(_req: falcon.Request, resp: falcon.Response, error: Exception, _params: dict[str, Any]) -> None:
        if isinstance(error, falcon.HTTPStatus | falcon.HTTPError):
            raise error
        lines.failure("a request failed")
        _answer_code(resp, 500, "member.bug")

    return answer


def _problem(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:  # noqa: ARG001 (the same)
    """What falcon refuses: a path, a method, a size."""
    codes = {404: "member.no_such_path", 405: "member.no_such_method", 413: "member.body_too_large"}
    _answer_code(resp, error.status_code, codes.get(error.status_code, "member.request_malformed"))


def _answer_code(resp: falcon.Response, status: int, code: str) -> None:
    _answer(resp, status, code, catalogue()[code]["en"], catalogue()[code]["zh"])


def _answer(resp: falcon.Response, status: int, code: str, en: str, zh: str) -> None:
    """RFC 9457, with the sentence in both languages."""
    resp.status = status
    resp.content_type = PROBLEM
    resp.data = jcs.encode({"type": "about:blank", "status": status, "code": code, "title": en, "title_zh": zh})
