"""Pages that bring in many rights from one file: choose it, see the dry run, file what is good.

No rule stands here: rows are judged by `rights.actions.bring_in`, the same way when looking and when filing.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import queries as evidence
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights.actions import bring_in
from chopmark.rights.actions.bring_in import Brought, Row
from chopmark.rights.imports import Problem, table
from chopmark.web.context import actor_of
from chopmark.web.downloads import attachment
from chopmark.web.forms.rights import ImportForm
from chopmark.web.turns import turn
from chopmark.web.views import right_words as words
from chopmark.web.views.rights import private, taken
from chopmark.web.views.rights_nav import texts

SHOWN = 500  # rows of a dry run
EXAMPLE = {
    "kind": "trademark",
    "office": "CN",
    "registration_number": "12345678",
    "mark": "灯笼 LANTERN",
    "owner": "Lantern Trading Co., Ltd.",
    "classes": "9 25",
    "registration_date": "2020-05-01",
    "expiry_date": "2030-04-30",
    "status": "registered",
}


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Choose the file."""
    actor = actor_of(request)
    actor.must("file_rights")
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        if (file.size or 0) > bring_in.MAX_BYTES:
            megabytes = bring_in.MAX_BYTES // 1024 // 1024
            form.add_error("file", _("This file is larger than %(n)s MB. Divide it.") % {"n": megabytes})
        else:
            try:
                upload = taken(file, actor, clock.now())
                _look(actor, upload)
            except (Refused, Invalid, Unavailable) as error:
                form.add_error("file", words.sentence(error))
            else:
                return redirect("right-import-rows", upload)
    context = {
        "form": form,
        "columns": [each.replace("_", " ") for each in table.COLUMNS],
        "template_url": reverse("right-import-template"),
        "texts": texts(),
    }
    return private(render(request, "rights/import.html", context, status=422 if form.errors else 200))


@require_http_methods(["GET", "HEAD", "POST"])
def rows(request: HttpRequest, upload: UUID) -> HttpResponse:
    """What would become of each row; POST files those that are good."""
    actor = actor_of(request)
    actor.must("file_rights")
    filed = request.method == "POST"
    try:
        name, brought = _look(actor, upload, dry_run=not filed)
    except Invalid as error:
        messages.error(request, words.sentence(error))
        return redirect("right-import")
    troubles = [_trouble(each) for each in brought.problems if each.stops]
    outcomes = [*(_row(each) for each in brought.rows), *troubles]
    bad = brought.count("refused") + len(troubles)
    context = {
        "file_name": name,
        "format": words.in_words(words.FORMAT_WORDS, brought.format),
        "rows": sorted(outcomes, key=lambda each: each["good"])[:SHOWN],  # what needs an eye is never cut off first
        "more": max(0, len(outcomes) - SHOWN),
        "good_count": brought.count("filed") if filed else brought.count("good"),
        "bad_count": bad,
        "done": filed,
    }
    return private(render(request, "rights/import_rows.html", context))


def _look(actor: Actor, upload: UUID, *, dry_run: bool = True) -> tuple[str, Brought]:
    """The file's name and what becomes of it."""
    state = evidence.upload_of(actor, upload)
    if state.sha256 is None:
        raise Refused("evidence.upload_not_found")
    data = b"".join(wiring.blobs().read(state.sha256))
    with turn(actor):
        return state.file_name, bring_in.bring_in(data, state.file_name, by=actor, at=clock.now(), dry_run=dry_run)


def _row(one: Row) -> dict[str, Any]:
    record = one.record
    return {
        "where": words.place(one.where),
        "name": words.name_of(record),
        "numbers": words.numbers_of(record),
        "owner": ", ".join(each.name for each in record.owners),
        "classes": ", ".join(dict.fromkeys(each.code for each in record.classes)),
        "good": one.outcome != "refused",
        "notes": [words.coded(each.code, each.facts) for each in one.problems],
        "number": one.number,
        "url": reverse("right", args=[one.number]) if one.number else "",
    }


def _trouble(one: Problem) -> dict[str, Any]:
    return {"where": words.place(one.where), "good": False, "notes": [words.coded(one.code, one.facts)]}


@require_safe
def template(request: HttpRequest) -> HttpResponse:
    """An empty table with the headings that are read, in one language, and one row to be typed over."""
    actor_of(request)
    names = list(table.COLUMNS)
    lines = [",".join(each.replace("_", " ") for each in names)]
    lines.append(",".join(f'"{EXAMPLE.get(each, "")}"' if each in EXAMPLE else "" for each in names))
    # The mark in front lets spreadsheets read UTF-8.
    response = HttpResponse("\ufeff" + "\r\n".join(lines) + "\r\n", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = attachment("rights.csv")
    return private(response)


urlpatterns = [
    path("rights/import", start, name="right-import"),
    path("rights/import/rights.csv", template, name="right-import-template"),
    path("rights/import/<uuid:upload>", rows, name="right-import-rows"),
]
