"""How matters, evidence, captures and bundles are shown: words in the reader's language, rows for templates.

No rule stands here, and nothing is read from a database but through `evidence.matters`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chopmark import law
from chopmark.base.errors import Fact, PlatformError, Refused
from chopmark.base.wording import catalogue, say
from chopmark.evidence import custody
from chopmark.evidence.matters import (
    Both,
    BundleSummary,
    CaptureSummary,
    FileSummary,
    GrantSummary,
    ItemSummary,
    MatterSummary,
    ScheduleSummary,
    StepSummary,
)
from chopmark.law.kinds import Label
from chopmark.people.actor import Actor
from chopmark.web.context import language
from chopmark.web.forms.matters import EVERY_WORDS, MODE_WORDS
from chopmark.web.views.receipts import size_text

WORKING = ("queued", "running")

KIND_WORDS = {
    "capture": _("Captured page"),
    "purchase": _("Test purchase"),
    "invoice": _("Invoice"),
    "photograph": _("Photograph"),
    "video": _("Video"),
    "audio": _("Sound recording"),
    "correspondence": _("Correspondence"),
    "work": _("Work"),
    "right": _("Title to a right"),
    "document": _("Document"),
    "upload": _("Other file"),
}
ROLE_WORDS = {
    "original": _("Original"),
    "copy": _("Copy"),
    "translation": _("Translation"),
    "extract": _("Extract"),
    "report": _("Report"),
}
FILE_ROLE_WORDS = {
    "primary": _("The evidence itself"),
    "rendition": _("Rendering"),
    "log": _("Log"),
    "report": _("Report"),
    "token": _("Time-stamp"),
    "record": _("Record of the capture"),
}
WHO_WORDS = {
    "person": _("Member"),
    "program": _("Programme"),
    "worker": _("Platform"),
    "guest": _("Holder of a code"),
}
SOURCE_WORDS = {
    "url": _("Address"),
    "url_final": _("Final address"),
    "final_url": _("Final address"),
    "ip": _("IP address"),
    "origin": _("Where from"),
    "title": _("Title"),
    "device": _("Device"),
}
PHOTO_WORDS = {
    "make": _("Camera maker"),
    "model": _("Camera"),
    "lens": _("Lens"),
    "software": _("Software"),
    "taken": _("Taken"),
    "changed": _("Changed"),
    "digitised": _("Digitised"),
    "position": _("Position"),
    "latitude": _("Latitude"),
    "longitude": _("Longitude"),
    "altitude": _("Altitude"),
    "width": _("Width"),
    "height": _("Height"),
}
CUSTODY_WORDS = {
    "matter.opened": _("Matter opened"),
    "matter.changed": _("Matter changed"),
    "matter.closed": _("Matter closed"),
    "matter.reopened": _("Matter opened again"),
    "matter.deleted": _("Matter deleted"),
    "item.added": _("Evidence added"),
    "item.removed": _("Evidence removed"),
    "file.added": _("File added"),
    "file.redacted": _("File redacted"),
    "file.unredacted": _("Redaction undone"),
    "capture.requested": _("Capture requested"),
    "capture.cancelled": _("Capture cancelled"),
    "capture.ended": _("Capture ended"),
    "schedule.made": _("Captures scheduled"),
    "schedule.ended": _("Schedule ended"),
    "bundle.requested": _("Bundle requested"),
    "bundle.cancelled": _("Bundle cancelled"),
    "bundle.begun": _("Bundle begun"),
    "bundle.built": _("Bundle made"),
    "bundle.failed": _("Bundle failed"),
    "bundle.signed": _("Bundle signed by a notary"),
    "bundle.renewed": _("Bundle time-stamped anew"),
    "bundle.deleted": _("Bundle deleted"),
    "hold.placed": _("Legal hold set"),
    "hold.lifted": _("Legal hold ended"),
    "access.granted": _("Access code made"),
    "access.revoked": _("Access code revoked"),
    "access.used": _("Access code entered"),
    "access.read": _("Read with an access code"),
}


def both(text: Both | Label) -> str:
    """The reader's language, or the other one where only that was given."""
    first, second = (text.zh, text.en) if language() == "zh" else (text.en, text.zh)
    return first or second


def worded(code: str, facts: Mapping[str, Any]) -> str:
    """The sentence of an error that was kept, or nothing."""
    if not code:
        return ""
    if code not in catalogue():
        return code
    known: dict[str, Fact] = dict(facts)
    try:
        return say(code, known, language())
    except KeyError:  # written by another version, whose sentence needed other facts
        return code


def template_choices() -> list[tuple[str, str]]:
    """Kinds of cases, by name."""
    return [(each.name, both(each.title)) for each in law.templates()]


def court_choices() -> list[tuple[str, str]]:
    """Codes of courts, and their names."""
    return [(each.code, both(each.title)) for each in law.courts()]


def phases_of(matter: MatterSummary) -> list[tuple[str, str, str]]:
    """Code, title and hint of each phase of a matter, in order."""
    try:
        template = law.template(matter.template)
    except Refused:
        return [(matter.phase, matter.phase, "")]
    return [(each.code, both(each.title), both(each.hint)) for each in template.phases]


def phase_choices(matter: MatterSummary) -> list[tuple[str, str]]:
    """For a select."""
    return [(code, title) for code, title, _hint in phases_of(matter)]


def matter_facts(one: MatterSummary) -> dict[str, Any]:
    """A matter for templates."""
    try:
        template = both(law.template(one.template).title)
    except Refused:
        template = one.template
    return {
        "id": one.id,
        "number": one.number,
        "title": both(one.title),
        "template_text": template,
        "jurisdiction": one.jurisdiction,
        "held": one.held,
        "state": one.state,
        "items_count": one.items,
        "opened_at": one.made_at,
        "closed_at": one.closed_at,
    }


def item_facts(one: ItemSummary, captures: Mapping[str, CaptureSummary]) -> dict[str, Any]:
    """An item of evidence for templates."""
    capture = captures.get(one.capture)
    photos = [(str(PHOTO_WORDS.get(name, name)), text) for file in one.files for name, text in file.photo.items()]
    return {
        "id": one.id,
        "number": one.number,
        "title": both(one.title),
        "purpose": both(one.purpose),
        "kind": one.kind,
        "kind_text": KIND_WORDS.get(one.kind, one.kind),
        "source_text": " · ".join(f"{SOURCE_WORDS.get(name, name)}: {text}" for name, text in one.source.items()),
        "phase": one.phase,
        "files": [file_facts(each) for each in one.files],
        "exif": photos,
        "deposited": all(each.published for each in one.files if each.deposit_id is not None),
        "capture_id": capture.id if capture else None,
        "withdrawn": one.removed_at is not None,
        "removed_reason": one.removed_reason,
    }


def file_facts(one: FileSummary) -> dict[str, Any]:
    """A file of an item for templates."""
    return {
        "id": one.id,
        "name": one.file_name or one.name,
        "stored_name": one.name,
        "media_type": one.media_type,
        "role": one.role,
        "role_text": FILE_ROLE_WORDS.get(one.role, one.role),
        "size_text": size_text(one.size),
        "sha256_hex": one.sha256.hex(),
        "deposit_id": one.deposit_id,
        "deposit_number": one.deposit_number,
        "redacted": one.redacted,
        "url": reverse("item-file", args=[one.id]),
    }


def by_phase(
    matter: MatterSummary, items: Iterable[ItemSummary], captures: Sequence[CaptureSummary]
) -> list[dict[str, Any]]:
    """The phases of a matter with their items; items of a phase that the template no longer has stand at the end."""
    known = {each.number: each for each in captures}
    shown = [item_facts(each, known) for each in items]
    phases = phases_of(matter)
    rows = [
        {"code": code, "label": title, "hint": hint, "items": [each for each in shown if each["phase"] == code]}
        for code, title, hint in phases
    ]
    rest = [each for each in shown if each["phase"] not in {code for code, _title, _hint in phases}]
    return [*rows, *([{"code": "", "label": _("Other"), "hint": "", "items": rest}] if rest else [])]


def steps_facts(steps: Sequence[StepSummary], *, working: bool) -> list[dict[str, Any]]:
    """The steps of a job, one that was begun and done once. The last one of a job at work is the present one."""
    newest: dict[tuple[str, int], StepSummary] = {}
    turns: dict[str, int] = {}
    for each in steps:
        if each.state == "begun" or (each.step, 0) not in newest:
            turns[each.step] = turns.get(each.step, -1) + 1
        newest[each.step, turns[each.step]] = each
    rows = [
        {"text": worded(each.step, each.facts), "at": each.at, "bad": each.state == "failed", "now": False}
        for each in newest.values()
    ]
    if rows and working:
        rows[-1]["now"] = True
    return rows


def capture_facts(one: CaptureSummary) -> dict[str, Any]:
    """A capture for templates."""
    steps = steps_facts(one.steps, working=one.state in WORKING)
    return {
        "id": one.id,
        "number": one.number,
        "url": one.url,
        "mode": one.mode,
        "mode_text": MODE_WORDS.get(one.mode, one.mode),
        "state": one.state,
        "working": one.state in WORKING,
        "steps": steps,
        "step_text": steps[-1]["text"] if steps and one.state == "running" else "",
        "trouble": worded(one.trouble, one.facts),
        "requested_at": one.made_at,
        "tries": one.tries,
    }


def schedule_facts(one: ScheduleSummary) -> dict[str, Any]:
    """What is captured again and again, for templates."""
    every = EVERY_WORDS.get(one.every_minutes)
    return {
        "id": one.id,
        "url": one.url,
        "every_text": every or _("Every %(minutes)s minutes") % {"minutes": one.every_minutes},
        "next_at": one.next_at,
        "until": one.until,
        "captures": one.captures,
    }


def bundle_facts(one: BundleSummary) -> dict[str, Any]:
    """A bundle for templates."""
    steps = steps_facts(one.steps, working=one.state in WORKING)
    return {
        "id": one.id,
        "number": one.number,
        "state": one.state,
        "working": one.state in WORKING,
        "steps": steps,
        "trouble": worded(one.trouble, one.facts),
        "size_text": "" if one.size is None else size_text(one.size),
        "sha256_hex": one.sha256.hex() if one.sha256 else "",
        "file_name": one.file_name,
        "made_at": one.made_at,
        "deposit_id": one.deposit_id,
        "deposit_number": one.deposit_number,
        "signatures": one.signatures,
        "signed_from": one.signed_from,
    }


def grant_facts(one: GrantSummary) -> dict[str, Any]:
    """An access code for templates."""
    return {
        "id": one.id,
        "name": one.given_to,
        "selector": one.selector,
        "purpose": one.purpose,
        "state": one.state,
        "until": one.expires_at,
        "uses": len(one.uses),
        "latest": list(reversed(one.uses))[:20],
    }


def entry_facts(one: custody.Entry) -> dict[str, Any]:
    """One line of a custody log for templates."""
    facts = [
        f"{name}: {', '.join(value) if isinstance(value, list) else value}"
        for name, value in one.facts.items()
        if value not in ("", [])
    ]
    return {
        "number": one.seq + 1,
        "at": one.at,
        "text": CUSTODY_WORDS.get(one.action, one.action),
        "item": one.item,
        "facts": " · ".join(facts),
        "who": f"{WHO_WORDS.get(one.who.kind, one.who.kind)} {one.who.id}",
    }


def instant(text: object) -> datetime | None:
    """A moment that is kept as text."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def sentence(error: PlatformError) -> str:
    """The error in the reader's language."""
    return say(error.code, error.facts, language())


def tell(request: HttpRequest, error: PlatformError) -> None:
    """Say on the next page what was refused; what one may not do, or what is not there, has a page of its own."""
    if error.code.startswith("people.") or error.code.endswith("not_found"):
        raise error
    messages.error(request, sentence(error))


def may_change(actor: Actor, matter: MatterSummary | None = None) -> bool:
    """Whether pages offer changes; the actions decide again."""
    return actor.may("deposit") and (matter is None or matter.state == "open")


def finished(response: HttpResponse, *, done: bool) -> HttpResponse:
    """Tell live.js whether there is more to come."""
    if done:
        response["X-Finished"] = "1"
    response["Cache-Control"] = "private, no-store"
    return response
