"""Pages that find copies: drop a file, see which works share something with it, which part of which, and why.

A picture is shown only to whoever brought it: the file that was looked for while it is kept, and one's own works; never
another organisation's. What is shown was decoded and encoded anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.people.actor import Actor
from chopmark.rights.actions import copies as searching
from chopmark.rights.actions.kept import NewWorkFile
from chopmark.rights.queries import works
from chopmark.rights.queries.works import MatchSummary, SearchSummary, WorkSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.works import FindForm
from chopmark.web.turns import turn
from chopmark.web.views import right_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.rights import private, taken
from chopmark.web.views.rights_nav import rights_nav, texts
from chopmark.web.views.thumbnails import MAX_BYTES, picture
from chopmark.web.views.works import KIND_WORDS, SHOWABLE, picture_address, showable, stored_picture

MILLION = 1_000_000
WIDTH = 1000  # of a drawing, in its own units
SPAN_WIDTH = 600
SHOWN_WIDTH, SHOWN_HEIGHT = 720, 560  # pixels that the picture with the slider takes at most
Point = tuple[float, float]
STAGE_WORDS = {
    "same": gettext_lazy("The same file"),
    "codes": gettext_lazy("The same picture"),
    "features": gettext_lazy("A part of the picture"),
    "sound": gettext_lazy("The same sound"),
    "film": gettext_lazy("The same film"),
    "text": gettext_lazy("The same text"),
}
VERDICT_WORDS = {"copy": gettext_lazy("You judged: a copy"), "other": gettext_lazy("You judged: something else")}


# ---- ask


@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """Drop a file; earlier searches below."""
    actor = actor_of(request)
    actor.must("view_rights")
    form = FindForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        actor.must("file_rights")
        if form.is_valid():
            try:
                with turn(actor):
                    upload = taken(form.cleaned_data["file"], actor, clock.now())
                    found = searching.find_copies(NewWorkFile(upload=upload), by=actor, at=clock.now())
            except (Refused, Invalid, Unavailable) as error:
                form.add_error("file", words.sentence(error))
            else:
                return redirect("copy-search", found.number)
    context = {
        "form": form,
        "may_file": actor.may("file_rights"),
        "searches": [search_facts(each) for each in works.searches_of(actor)],
        "rights_nav": rights_nav(request),
        "texts": texts(),
    }
    return private(render(request, "copies/list.html", context, status=422 if form.is_bound and form.errors else 200))


def search_facts(one: SearchSummary) -> dict[str, Any]:
    """A search in a list, and at the head of its page."""
    return {
        "number": one.number,
        "name": one.name or one.sha256.hex()[:16],
        "kind": one.kind,
        "kind_text": words.in_words(KIND_WORDS, one.kind),
        "matches": len(one.matches),
        "at": one.made_at,
        "url": reverse("copy-search", args=[one.number]),
        "iscc": one.iscc,
        "sha256_hex": one.sha256.hex(),
        "crowded": words.coded("copies.crowded", one.facts) if "crowded" in one.facts else "",
    }


# ---- what was found


@require_safe
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One search with its matches, side by side."""
    actor = actor_of(request)
    one = works.search_of(actor, number)
    query = query_size(actor, one)
    query_url = reverse("copy-picture", args=[one.number]) if query is not None else ""
    shown = Shown(
        reasons=works.explain_all(actor, one.id),
        works=works.works_named(actor, {each.work for each in one.matches if each.own}),
        query=query,
        query_url=query_url,
    )
    context = {
        "search": search_facts(one),
        "matches": [match_facts(shown, one, each) for each in one.matches],
        "may_judge": actor.may("file_rights"),
    }
    return private(render(request, "copies/detail.html", context))


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a drawing: WIDTH wide, and as high as the picture is."""

    width: int
    height: int


def drawn_size(facts: Mapping[str, Any]) -> Size | None:
    """From the facts of a fingerprint; None for what is no picture."""
    width, height = facts.get("width"), facts.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
        return None
    return Size(width=WIDTH, height=max(1, round(WIDTH * height / width)))


def query_size(actor: Actor, one: SearchSummary) -> Size | None:
    """The size of the picture that was looked for; None where it is none, or is not kept for who looked for it."""
    if one.media_type not in SHOWABLE or one.size > MAX_BYTES or not works.query_kept(actor, one):
        return None
    return drawn_size(one.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the matches of a page share, read at once: reasons by match, own works by number, the file's picture."""

    reasons: Mapping[int, Sequence[tuple[str, Mapping[str, Any]]]]
    works: Mapping[str, WorkSummary]
    query: Size | None
    query_url: str


def match_facts(shown: Shown, search: SearchSummary, one: MatchSummary) -> dict[str, Any]:
    """A match for the page."""
    query, query_url = shown.query, shown.query_url
    facts: dict[str, Any] = {
        "id": one.id,
        "work_number": one.work,
        "work_title": one.title or words.in_words(KIND_WORDS, one.kind),
        "work_url": reverse("work", args=[one.work]) if one.own else "",
        "authors": ", ".join(one.authors),
        "statement": one.statement,
        "registered_at": one.registered_at,
        "strength": words.in_words(STAGE_WORDS, one.stage),
        "later": one.later,
        "verdict": one.verdict,
        "verdict_text": words.in_words(VERDICT_WORDS, one.verdict) if one.verdict else "",
        "judge_url": reverse("copy-judge", args=[search.number, one.id]),
        "why": [words.coded(code, said) for code, said in shown.reasons.get(one.id, ())],
        "counted": counted(one),
        "drawing_url": reverse("copy-drawing", args=[search.number, one.id]) if one.overlay else "",
        "spans": span_facts(one),
    }
    reference = _reference(shown.works.get(one.work), one)
    if query is not None:
        facts |= {"query_url": query_url, "query": query, "query_parts": boxes(one.parts, "query", query)}
    if reference is not None:
        url, size = reference
        facts |= {
            "reference_url": url,
            "reference": size,
            "reference_parts": boxes(one.parts, "reference", size),
        }
        if query is not None:
            facts["overlay"] = overlay(one, query, size)
    return facts


def counted(one: MatchSummary) -> list[dict[str, Any]]:
    """The figures behind a match."""
    labels = {
        "distance": _("Bits that differ, of 256"),
        "quality": _("Detail in the picture, of 100"),
        "inliers": _("Points that agree"),
        "pairs": _("Pairs looked at"),
    }
    rows = [{"label": _("Score, of 1000"), "value": one.score}]
    return rows + [{"label": text, "value": one.why[name]} for name, text in labels.items() if name in one.why]


def _reference(work: WorkSummary | None, one: MatchSummary) -> tuple[str, Size] | None:
    """The picture of one's own work that was matched, and its size."""
    if work is None or one.kind != "picture":
        return None
    found = next((each for each in work.files if showable(each) and each.name == one.file), None)
    size = drawn_size(found.facts) if found is not None else None
    return (picture_address(one.work, found.id), size) if found is not None and size is not None else None


def boxes(parts: Sequence[Mapping[str, Any]], name: str, size: Size) -> list[str]:
    """The parts of a picture that agree, as polygons of its drawing; the whole picture needs no frame."""
    found = []
    for each in parts:
        box = each.get(name)
        if not box or list(box) == [0, 0, MILLION, MILLION]:
            continue
        left, top, right, bottom = (
            value / MILLION * (size.width if place % 2 == 0 else size.height) for place, value in enumerate(box)
        )
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        found.append(" ".join(f"{x:.0f},{y:.0f}" for x, y in corners))
    return found


# ---- the work laid over the file


def overlay(one: MatchSummary, query: Size, reference: Size) -> dict[str, Any] | None:
    """The map from the work's drawing to the file's, for the page to lay one over the other."""
    corners = corners_of(one)
    if corners is None:
        return None
    (ox, oy), (ax, ay), (bx, by) = ((x * query.width, y * query.height) for x, y in corners)
    matrix = (
        (ax - ox) / reference.width,
        (ay - oy) / reference.width,
        (bx - ox) / reference.height,
        (by - oy) / reference.height,
        ox,
        oy,
    )
    shown = min(SHOWN_WIDTH, round(SHOWN_HEIGHT * query.width / query.height))
    return {"matrix": " ".join(f"{each:.5f}" for each in matrix), "half": query.width // 2, "shown": shown}


def corners_of(one: MatchSummary) -> tuple[Point, Point, Point] | None:
    """Where corners of the work lie in the file: upper left and right, lower left; 0 to 1 of width and height."""
    told = str(one.why.get("corners", "")).split()
    if len(told) == 4:
        first, second, _third, fourth = (_point(each) for each in told)
        return first, second, fourth
    part = next(iter(one.parts), None)
    if part is None or not part.get("query") or not part.get("reference"):
        return None
    return _by_boxes(part["query"], part["reference"], int(part.get("turn", 0)))


def _point(text: str) -> Point:
    x, _comma, y = text.partition(",")
    return int(x) / MILLION, int(y) / MILLION


def _by_boxes(query: Sequence[int], reference: Sequence[int], turn: int) -> tuple[Point, Point, Point] | None:
    """The map that takes the work's part onto the file's, turned back as its code was turned (`picture.Code`)."""
    left, top, right, bottom = (each / MILLION for each in reference)
    if right <= left or bottom <= top:
        return None

    def placed(x: float, y: float) -> Point:
        """A place of the work, in the file."""
        u, v = (x - left) / (right - left), (y - top) / (bottom - top)
        for _quarter in range(turn % 4):
            u, v = v, 1 - u
        u = 1 - u if turn >= 4 else u
        q_left, q_top, q_right, q_bottom = (each / MILLION for each in query)
        return q_left + u * (q_right - q_left), q_top + v * (q_bottom - q_top)

    return placed(0, 0), placed(1, 0), placed(0, 1)


# ---- from where to where, of sound, film and text


def span_facts(one: MatchSummary) -> dict[str, Any] | None:
    """Parts of sound and film by time, of text by characters, as two lanes."""
    parts = [each for each in one.parts if each.get("query_span") and each.get("reference_span")]
    parts = [each for each in parts if each["query_span"][1] > each["query_span"][0]]
    if not parts:
        return None
    end = max(max(each["query_span"][1], each["reference_span"][1]) for each in parts)
    scale = SPAN_WIDTH / max(1, end)
    text = one.stage == "text"
    rows = []
    for each in parts:
        (q0, q1), (r0, r1) = each["query_span"], each["reference_span"]
        x = [value * scale for value in (q0, q1, r0, r1)]
        rows.append(
            {
                "query_x": round(x[0], 1),
                "query_width": max(2.0, round(x[1] - x[0], 1)),
                "reference_x": round(x[2], 1),
                "reference_width": max(2.0, round(x[3] - x[2], 1)),
                "join": f"{x[0]:.1f},34 {x[1]:.1f},34 {x[3]:.1f},66 {x[2]:.1f},66",
                "text": _("File %(a)s to %(b)s is the work's %(c)s to %(d)s")
                % {
                    "a": _place(q0, text=text),
                    "b": _place(q1, text=text),
                    "c": _place(r0, text=text),
                    "d": _place(r1, text=text),
                },
            }
        )
    return {"parts": rows, "text": "; ".join(each["text"] for each in rows)}


def _place(value: int, *, text: bool) -> str:
    if text:
        return _("character %(n)s") % {"n": value}
    minutes, rest = divmod(value, 60_000)
    return f"{minutes}:{rest / 1000:04.1f}"


# ---- pictures, and what a person thinks of it


@require_safe
def asked_picture(request: HttpRequest, number: str) -> HttpResponse:
    """The picture that was looked for, decoded and encoded anew."""
    actor = actor_of(request)
    one = works.search_of(actor, number)
    if query_size(actor, one) is None:
        raise Http404
    return stored_picture(request, one.sha256)


@require_safe
def drawing(request: HttpRequest, number: str, match: int) -> HttpResponse:
    """The drawing of the points that agree; the platform made it."""
    return picture(f"{number}-{match}", works.overlay_of(actor_of(request), number, match))


@require_http_methods(["GET", "HEAD", "POST"])
def judge(request: HttpRequest, number: str, match: int) -> HttpResponse:
    """Say that a match is a copy, or something else."""
    if request.method == "POST":
        try:
            searching.judge(number, match, request.POST.get("verdict", ""), by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("Your judgement is noted."))
    return redirect("copy-search", number)


urlpatterns = [
    path("copies/", listing, name="copies"),
    path("copies/<str:number>", detail, name="copy-search"),
    path("copies/<str:number>/file.png", asked_picture, name="copy-picture"),
    path("copies/<str:number>/matches/<int:match>.png", drawing, name="copy-drawing"),
    path("copies/<str:number>/matches/<int:match>/judge", judge, name="copy-judge"),
]
