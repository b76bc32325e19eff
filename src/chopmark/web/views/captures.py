"""Pages of captures: ask for one, watch it, look at what was kept.

What a captured page sent never appears here as a page: files are attachments, and the screenshot is shown as a smaller
picture that was decoded and encoded again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import matters
from chopmark.evidence.actions.capture import (
    NewCapture,
    cancel_capture,
    command_capture,
    request_capture,
    schedule_capture,
)
from chopmark.evidence.matters import Both, CaptureSummary, FileSummary, ItemSummary, MatterSummary
from chopmark.media.guard import Limits
from chopmark.media.shown import Frame
from chopmark.people.actor import Actor
from chopmark.web.context import actor_of
from chopmark.web.forms.matters import CaptureForm
from chopmark.web.views import casework
from chopmark.web.views.casework import finished, may_change, sentence, tell
from chopmark.web.views.thumbnails import framed, has, picture

PREVIEW_WIDTH = 900
STEP_WIDTH = 1600  # wider than an operator's browser: a point in the picture is the same point in the page
PREVIEW_HEIGHT = 6000
MAX_PIXELS = 120_000_000  # of a screenshot that is decoded
MAX_SCREENSHOT = 100_000_000  # bytes
MAX_TEXT = 2_000_000  # bytes of a log or report that is shown
MAX_LINES = 300
LIMITS = Limits(size=MAX_SCREENSHOT, cpu=20, wall=30.0)  # a long page's is a few hundred megabytes while it is decoded

RESULT_WORDS = {
    "requested_url": gettext_lazy("Requested address"),
    "final_url": gettext_lazy("Final address"),
    "started": gettext_lazy("Begun"),
    "ended": gettext_lazy("Ended"),
    "engine": gettext_lazy("Browser"),
    "engine_sha256": gettext_lazy("SHA-256 of the browser"),
    "vantages": gettext_lazy("Looked from"),
}


LOG_WORDS = {
    "capture.asked": gettext_lazy("Capture begun"),
    "cleanliness.before": gettext_lazy("Checked that the environment is clean"),
    "cleanliness.after": gettext_lazy("Checked the environment again"),
    "browser.started": gettext_lazy("Browser started"),
    "browser.ended": gettext_lazy("Browser ended"),
    "browser.killed": gettext_lazy("Browser was stopped"),
    "navigate": gettext_lazy("Address opened"),
    "navigation.failed": gettext_lazy("Address could not be opened"),
    "page.shown": gettext_lazy("Page shown"),
    "scroll": gettext_lazy("Scrolled"),
    "reload": gettext_lazy("Loaded again"),
    "response.kept": gettext_lazy("Response kept"),
    "request.failed": gettext_lazy("Request failed"),
    "popup.closed": gettext_lazy("Pop-up closed"),
    "capture.incomplete": gettext_lazy("Not everything was captured"),
    "file.kept": gettext_lazy("File written"),
    "second.fetch": gettext_lazy("Looked from a second place"),
    "netlog.sealed": gettext_lazy("Raw network layer encrypted"),
    "netlog.dropped": gettext_lazy("Raw network layer not kept"),
    "stamp.failed": gettext_lazy("Time-stamp failed"),
    "deposit.failed": gettext_lazy("Deposit failed"),
    "deposited": gettext_lazy("Deposited"),
    "log.closed": gettext_lazy("Log closed"),
}
CHECK_WORDS = {
    "processes": gettext_lazy("Running programs"),
    "hosts": gettext_lazy("Hosts file"),
    "resolver": gettext_lazy("Name servers"),
    "proxy": gettext_lazy("Proxy settings"),
    "preload": gettext_lazy("Injected libraries"),
    "policies": gettext_lazy("Browser policies"),
    "profile": gettext_lazy("Browser profile"),
    "clock": gettext_lazy("Clock"),
    "browser": gettext_lazy("Browser"),
    "image": gettext_lazy("Machine image"),
    "trust_store": gettext_lazy("Trusted certificates"),
    "system": gettext_lazy("System"),
    "display": gettext_lazy("Display"),
}
STEP_WORDS = {
    "navigate": gettext_lazy("Address opened"),
    "click": gettext_lazy("Clicked"),
    "type": gettext_lazy("Typed"),
    "press": gettext_lazy("Key pressed"),
    "scroll": gettext_lazy("Scrolled"),
    "wait": gettext_lazy("Waited"),
}
FAILURE_WORDS = {
    "timeout": gettext_lazy("It took too long, or there is no such thing on the page."),
    "refused": gettext_lazy("This address is not opened: only public addresses are."),
    "malformed": gettext_lazy("This step was not understood."),
}
KEYS = ("Enter", "Tab", "Escape", "Backspace", "ArrowDown", "ArrowUp", "PageDown", "PageUp", "End", "Home")
WAIT = 3000  # milliseconds


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Ask for a capture."""
    actor = actor_of(request)
    actor.must("deposit")
    matter = matters.matter_of(actor, matter_id)
    form = CaptureForm(
        request.POST or None,
        phases=casework.phase_choices(matter),
        initial={
            "phase": request.GET.get("phase") or matter.phase,
            "url": request.GET.get("url", ""),
            "mode": "automatic",
        },
    )
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        wanted = NewCapture(
            url=typed["url"],
            mode=typed["mode"],
            title=Both(zh=typed["title_zh"], en=typed["title_en"]),
            purpose=Both(zh=typed["purpose_zh"], en=typed["purpose_en"]),
            phase=typed["phase"],
        )
        try:
            if typed["every"]:
                _repeat(actor, matter, wanted, typed)
                messages.success(request, _("The page is captured again and again until then."))
                return redirect(reverse("matter", args=[matter.id]) + "#head-captures")
            made = request_capture(matter.id, wanted, by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            return redirect("capture", made.id)
    context = {"form": form, "matter": casework.matter_facts(matter)}
    return render(request, "captures/new.html", context, status=422 if form.errors else 200)


def _repeat(actor: Actor, matter: MatterSummary, wanted: NewCapture, typed: Mapping[str, str]) -> None:
    at = clock.now()
    until = at + timedelta(days=int(typed["days"] or 7))
    schedule_capture(matter.id, wanted, every_minutes=int(typed["every"]), until=until, by=actor, at=at)


@require_safe
def detail(request: HttpRequest, capture_id: UUID) -> HttpResponse:
    """One capture: how far it is, or what was kept."""
    actor = actor_of(request)
    one = matters.capture_of(actor, capture_id)
    matter = matters.matter_of(actor, one.matter_id)
    item = _item(actor, one)
    files = item.files if item is not None else ()
    phases = dict(casework.phase_choices(matter))
    response = render(
        request,
        "captures/detail.html",
        {
            "matter": casework.matter_facts(matter),
            "capture": {
                **casework.capture_facts(one),
                "phase_text": phases.get(one.phase, one.phase),
                "files": [casework.file_facts(each) for each in files],
                "facts": _facts(one),
                "log": _log(actor, files),
            },
            "cleanliness": _cleanliness(actor, files),
            "preview": _screenshot(files) is not None,
            "may_change": may_change(actor, matter),
            "drive": _drive(actor, one),
            "keys": KEYS,
        },
    )
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def progress(request: HttpRequest, capture_id: UUID) -> HttpResponse:
    """How far a capture is, as a piece of its page."""
    one = matters.capture_of(actor_of(request), capture_id)
    response = render(request, "captures/_progress.html", {"capture": casework.capture_facts(one)})
    return finished(response, done=one.state not in casework.WORKING)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, capture_id: UUID) -> HttpResponse:
    """Take a request back before a worker begins."""
    if request.method == "POST":
        try:
            cancel_capture(capture_id, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
    return redirect("capture", capture_id)


@require_http_methods(["GET", "HEAD", "POST"])
def drive(request: HttpRequest, capture_id: UUID) -> HttpResponse:
    """The browser of an operator's capture: its newest picture as a piece of the page; POST is the next step."""
    actor = actor_of(request)
    one = matters.capture_of(actor, capture_id)
    if request.method != "POST":
        response = render(request, "captures/_drive.html", {"capture": {"id": one.id}, "drive": _drive(actor, one)})
        return finished(response, done=False)
    back = redirect(reverse("capture", args=[one.id]) + "#head-drive")
    stands = matters.drive_of(actor, one.id)
    if "at.x" in request.POST and stands is not None and request.POST.get("step") != str(stands.step):
        messages.error(request, _("The page has moved on since that picture. Look at the new one and click again."))
        return back
    try:
        command_capture(one.id, step_of(request.POST), by=actor, at=clock.now())
    except (Refused, Invalid) as error:
        tell(request, error)
    return back


def step_of(typed: Mapping[str, str]) -> dict[str, object]:
    """The step that a form asks for, to be judged by the action. A point comes from a click into the picture."""
    action = typed.get("action", "")
    text = typed.get("text", "")
    fields: dict[str, dict[str, object]] = {
        "navigate": {"url": text if "://" in text else f"https://{text.strip()}"},
        "click": {"selector": text},
        "type": {"text": text, "selector": typed.get("selector", "")},
        "press": {"key": text},
        "scroll": {"x": 0, "y": _number(text)},
        "wait": {"milliseconds": WAIT},
        "finish": {},
    }
    command: dict[str, object] = {"action": action, **fields.get(action, {})}
    if action == "click" and "at.x" in typed:
        command = {"action": "click", "x": _number(typed["at.x"]), "y": _number(typed.get("at.y", ""))}
    if action == "type" and "secret" in typed:
        command["secret"] = True
    return command


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,5}", text) else 0


def _drive(actor: Actor, one: CaptureSummary) -> dict[str, Any] | None:
    """Where an operator's browser stands, for templates."""
    stands = matters.drive_of(actor, one.id)
    if stands is None:
        return None
    trouble = FAILURE_WORDS.get(stands.failure, _("This step failed.")) if stands.failure else ""
    return {
        "step": stands.step,
        "busy": stands.asked > stands.step,
        "text": STEP_WORDS.get(stands.action, "") if stands.step else _("The page stands"),
        "trouble": trouble,
        "url": stands.url,
        "title": stands.title,
        "picture": reverse("capture-step", args=[one.id, stands.step]) if stands.picture else "",
    }


@require_safe
def step(request: HttpRequest, capture_id: UUID, number: int) -> HttpResponse:
    """What the browser showed after a step, decoded and encoded again, in the size it has."""
    data = matters.drive_picture(actor_of(request), capture_id, number)
    if not data:
        raise Http404
    return picture(hashlib.sha256(data).hexdigest()[:32], small(data, STEP_WIDTH))


def small(data: bytes, width: int = PREVIEW_WIDTH) -> bytes:
    """A screenshot made to fit the page, as far down as a page shows it. Raises as `thumbnails.framed`."""
    return framed(data, Frame(width=width, height=PREVIEW_HEIGHT, cut=True, most=MAX_PIXELS), LIMITS)


@require_safe
def preview(request: HttpRequest, capture_id: UUID) -> HttpResponse:
    """The screenshot as a small picture made here."""
    actor = actor_of(request)
    file = _screenshot(_files(actor, matters.capture_of(actor, capture_id)))
    if file is None:
        raise Http404
    tag = file.sha256.hex()[:32]
    if has(request, tag):
        return picture(tag, None)
    return picture(tag, small(_bytes(actor, file, MAX_SCREENSHOT)))


def _item(actor: Actor, one: CaptureSummary) -> ItemSummary | None:
    """The item that the capture became, also when it was removed since."""
    found = (each for each in matters.items_of(actor, one.matter_id, removed=True) if each.capture == one.number)
    return next(found, None)


def _files(actor: Actor, one: CaptureSummary) -> tuple[FileSummary, ...]:
    item = _item(actor, one)
    return item.files if item is not None else ()


def _named(files: tuple[FileSummary, ...], start: str, ending: str) -> FileSummary | None:
    return next((each for each in files if each.name.startswith(start) and each.name.endswith(ending)), None)


def _screenshot(files: tuple[FileSummary, ...]) -> FileSummary | None:
    found = _named(files, "screenshot", ".png")
    return found if found is not None and found.size <= MAX_SCREENSHOT else None


def _bytes(actor: Actor, file: FileSummary, limit: int) -> bytes:
    """A file's bytes, as far as the limit."""
    if file.size > limit:
        return b""
    return b"".join(matters.file_of_item(actor, file.id).chunks)


def _log(actor: Actor, files: tuple[FileSummary, ...]) -> list[dict[str, Any]]:
    """The lines of the process log; a line that cannot be read ends it."""
    file = _named(files, "process", ".jsonl")
    if file is None:
        return []
    shown: list[dict[str, Any]] = []
    for line in _bytes(actor, file, MAX_TEXT).splitlines()[:MAX_LINES]:
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if not isinstance(entry, dict):
            break
        action = str(entry.get("action", ""))
        facts = entry.get("facts")
        shown.append(
            {
                "number": len(shown) + 1,
                "at": str(entry.get("at", "")).replace("T", " ").removesuffix("Z"),
                "text": LOG_WORDS.get(action, action),
                "facts": _told(facts) if isinstance(facts, dict) else "",
            }
        )
    return shown


def _told(facts: dict[str, Any]) -> str:
    """Facts in one line; what is nested or long is cut, the file has it all."""
    parts = []
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts.append(f"{name}: {text[:200]}{'…' if len(text) > 200 else ''}")
    return " · ".join(parts)


def _facts(one: CaptureSummary) -> list[tuple[object, str]]:
    """How it was captured, for a list."""
    shown: list[tuple[object, str]] = [
        (_("Number"), one.number),
        (_("Requested (UTC)"), f"{one.made_at:%Y-%m-%d %H:%M:%S}"),
    ]
    for name, words in RESULT_WORDS.items():
        value = one.result.get(name)
        if isinstance(value, list):
            value = ", ".join(each if isinstance(each, str) else _told(each) for each in value)
        if value not in (None, "", ()):
            shown.append((words, str(value)))
    if one.item:
        shown.append((_("Evidence"), one.item))
    if one.tries > 1:
        shown.append((_("Tries"), str(one.tries)))
    return shown


def _cleanliness(actor: Actor, files: tuple[FileSummary, ...]) -> dict[str, Any] | None:
    """The cleanliness report as a table: what was checked, before and after."""
    file = _named(files, "cleanliness", ".json")
    if file is None:
        return None
    try:
        report = json.loads(_bytes(actor, file, MAX_TEXT) or b"null")
    except ValueError:
        return None
    return clean_table(report) if isinstance(report, dict) else None


def clean_table(report: dict[str, Any]) -> dict[str, Any] | None:
    """The two looks of a report side by side; None for something else."""
    looks = [report.get("before"), report.get("after")]
    lines = [_lines(look) for look in looks]
    checks = list(dict.fromkeys(check for look in lines for check in look))
    if not checks:
        return None
    rows = []
    for check in checks:
        found = [look.get(check, {}) for look in lines]
        note = {name: value for each in found for name, value in each.items() if name not in ("check", "status")}
        rows.append(
            {
                "text": CHECK_WORDS.get(check, check.replace("_", " ")),
                "verdicts": [str(each.get("status", "")) for each in found],
                "note": _told(note),
            }
        )
    return {"clean": not any("fail" in row["verdicts"] for row in rows), "rows": rows}


def _lines(look: object) -> dict[str, dict[str, Any]]:
    lines = look.get("lines") if isinstance(look, dict) else None
    found = [each for each in lines if isinstance(each, dict)] if isinstance(lines, list) else []
    return {str(each.get("check", "")): each for each in found}


urlpatterns = [
    path("matters/<uuid:matter_id>/captures/new", new, name="capture-new"),
    path("captures/<uuid:capture_id>", detail, name="capture"),
    path("captures/<uuid:capture_id>/progress", progress, name="capture-progress"),
    path("captures/<uuid:capture_id>/cancel", cancel, name="capture-cancel"),
    path("captures/<uuid:capture_id>/drive", drive, name="capture-drive"),
    path("captures/<uuid:capture_id>/steps/<int:number>.png", step, name="capture-step"),
    path("captures/<uuid:capture_id>/preview.png", preview, name="capture-preview"),
]
