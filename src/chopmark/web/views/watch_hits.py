"""Pages of hits: list them, look at one with all that explains it, say what it is, take that back, hand it over.

No rule stands here: who may do what is decided by `watch.actions`. A picture of a listing is shown only where the
platform holds its bytes, decoded and encoded anew; no page asks a marketplace's server for anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, cast, get_args

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.people.actor import Actor
from chopmark.rights.queries import works
from chopmark.watch import life
from chopmark.watch.actions import hand_over, review
from chopmark.watch.actions.review import Ask, Many, Opinion
from chopmark.watch.life import Answer
from chopmark.watch.queries import decisions, hits, pictures, proofs
from chopmark.watch.queries.hits import Filters, HitStory
from chopmark.web.context import actor_of
from chopmark.web.downloads import TLOG_PROOF, ReceiptForm, attachment
from chopmark.web.turns import turn
from chopmark.web.views import watch_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.right_words import choices, in_words, sentence
from chopmark.web.views.rights import private
from chopmark.web.views.thumbnails import has, thumbnail
from chopmark.web.views.thumbnails import picture as shown
from chopmark.web.views.watch_nav import PAGE, page_of, turning, watch_nav
from chopmark.web.views.works import SMALL, showable, stored_picture

BATCH: Final = "watch-batch"
"""In the session: the last decision over many, to take it back."""
LAST: Final = "watch-last"
"""In the session: the hit that was decided last, to take it back from the next card."""
FILTERS: Final = ("state", "marketplace", "right", "seller", "rule", "outcome")
MAX_NOTE: Final = 500


# ---- the list


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """Hits that fit, newest first; ticked ones are decided together."""
    actor = actor_of(request)
    chosen: dict[str, Any] = {name: request.GET.get(name, "").strip()[:200] for name in FILTERS}
    page = page_of(request)
    found = hits.hits_of(actor, Filters(**chosen), limit=PAGE, offset=PAGE * (page - 1))
    context = {
        "watch_nav": watch_nav(request),
        "rows": [words.row_facts(each) for each in found.items],
        "count": found.total,
        "or_more": found.total == hits.MAX_COUNTED,
        "empty": not found.total and not any(chosen.values()),
        "chosen": chosen,
        "states": choices(words.STATE_WORDS),
        "outcomes": [(name, text) for name, text in words.OUTCOME_WORDS.items() if name not in ("none", "restore")],
        "marketplaces": words.own_marketplaces(actor),
        "back": request.get_full_path(),
        **turning(page, found.total, **chosen),
        **many_facts(request, actor),
    }
    return private(render(request, "watch/hits.html", context))


def many_facts(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """What the bar below a list of hits needs."""
    return {
        "may_review": actor.may("review_hits"),
        "confirming": [(each, words.WHY_WORDS[each]) for each in get_args(life.Reason) if each in life.CONFIRMING],
        "dismissing": [(each, words.WHY_WORDS[each]) for each in get_args(life.Reason) if each in life.DISMISSING],
        "batch": request.session.get(BATCH, ""),
    }


# ---- what a person says


def opinion_of(typed: QueryDict) -> Opinion:
    """What a form says; whether it fits together is for the action."""
    answer = typed.get("answer", "")
    return Opinion(
        answer=cast("Answer", answer),
        why=typed.get(f"why_{answer}"[:20], typed.get("why", ""))[:32],
        note=typed.get("note", "")[: MAX_NOTE + 1],
        measure=cast("Ask", typed.get("measure", "")[:8] if answer == "confirm" else ""),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: HttpRequest, number: str) -> HttpResponse:
    """Say what one hit is."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            said = review.decide_hit(number, opinion_of(request.POST), by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
            return _shown(request, actor, number, typed=typed_in(request.POST))
        request.session[LAST] = said.number
        messages.success(request, decided_text(said.number, said.state))
    return redirect("watch-hit", number)


def typed_in(typed: QueryDict) -> dict[str, str]:
    """What somebody typed and chose, for the form once more: a refusal takes nothing away."""
    return {name: typed.get(name, "")[:MAX_NOTE] for name in ("note", "why_confirm", "why_dismiss", "measure")}


def decided_text(number: str, state: str) -> str:
    """What an answer came to."""
    if state == "second":
        return _("%(number)s waits for a second person before the takedown is asked for.") % {"number": number}
    state_text = in_words(words.STATE_WORDS, state)
    return _("%(number)s: %(state)s.") % {"number": number, "state": state_text}


@require_http_methods(["GET", "HEAD", "POST"])
def many(request: HttpRequest) -> HttpResponse:
    """The same answer to all hits that were ticked."""
    actor = actor_of(request)
    back = _back(request)
    if request.method == "POST":
        try:
            done = review.decide_many(
                request.POST.getlist("hit")[: review.MAX_MANY + 1],
                opinion_of(request.POST),
                by=actor,
                at=clock.now(),
            )
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            request.session[BATCH] = str(done.batch) if done.done else ""
            _tell_many(request, done, ngettext("%(n)s hit was decided.", "%(n)s hits were decided.", len(done.done)))
    return redirect(back)


@require_http_methods(["GET", "HEAD", "POST"])
def undo_many(request: HttpRequest) -> HttpResponse:
    """Take the last decision over many back."""
    actor = actor_of(request)
    batch = words.uuid_or_none(request.session.get(BATCH, ""))
    if request.method == "POST" and batch is not None:
        try:
            done = review.undo_many(batch, by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            request.session[BATCH] = ""
            text = ngettext("%(n)s decision was taken back.", "%(n)s decisions were taken back.", len(done.done))
            _tell_many(request, done, text)
    return redirect(_back(request))


def _tell_many(request: HttpRequest, done: Many, text: str) -> None:
    if done.done:
        messages.success(request, text % {"n": len(done.done)})
    if not done.done and not done.failed:
        messages.warning(request, _("Nothing was ticked."))
    for number, error in done.failed[:5]:
        messages.error(request, f"{number[:24]}: {sentence(error)}")
    if len(done.failed) > 5:
        messages.error(request, _("%(n)s more could not be decided.") % {"n": len(done.failed) - 5})


def _back(request: HttpRequest) -> str:
    """The page that the form stood on: the queue, or the list with its filters; nothing else."""
    asked = request.POST.get("back", "")
    queue, listed = reverse("watch-queue"), reverse("watch-hits")
    plain = asked.isascii() and asked.isprintable()
    return asked[:1000] if plain and (asked == listed or asked.startswith(f"{listed}?")) else queue


@require_http_methods(["GET", "HEAD", "POST"])
def undo(request: HttpRequest, number: str) -> HttpResponse:
    """Take the last decision on one hit back; what was sent is restored."""
    if request.method == "POST":
        try:
            said = review.undo(number, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("The decision on %(number)s was taken back.") % {"number": said.number})
            if request.session.get(LAST) == said.number:
                request.session[LAST] = ""
    return redirect("watch-hit", number)


# ---- one hit


@require_safe
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One hit with everything that explains it."""
    return _shown(request, actor_of(request), number)


def _shown(request: HttpRequest, actor: Actor, number: str, *, typed: Mapping[str, str] | None = None) -> HttpResponse:
    """Its page; with what was typed where that was refused."""
    one = hits.hit_of(actor, number)
    context = {
        "watch_nav": watch_nav(request),
        "hit": words.story_facts(actor, one, shown_pictures(one)),
        "may_decide": may_decide(actor, one),
        "judged": words.judged_by(one, actor.user_id),
        "may_undo": words.may_undo(actor, one),
        "may_hand_over": actor.may("review_hits") and one.summary.state not in hand_over.GONE and one.matter is None,
        "matter_number": one.matter_number,
        "has_matter": one.matter is not None,
        "matter_url": reverse("matter", args=[one.matter]) if one.matter_number and one.matter is not None else "",
        "may_golden": actor.may("manage_rules") and one.summary.state in ("confirmed", "dismissed"),
        "decide_url": reverse("watch-hit-decide", args=[number]),
        "typed": typed,
        **many_facts(request, actor),
    }
    return private(render(request, "watch/hit.html", context, status=422 if typed is not None else 200))


def may_decide(actor: Actor, one: HitStory) -> bool:
    """Whether the page offers to judge it; the action decides again."""
    return actor.may("review_hits") and one.summary.state in life.WAITING and not words.judged_by(one, actor.user_id)


Change = Callable[[HttpRequest, Actor, str], None]


def small_form(change: Change) -> Callable[..., HttpResponse]:
    """A view for one small form: do it, go back to the hit; a refusal is said there."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, number: str) -> HttpResponse:
        actor = actor_of(request)
        if request.method == "POST":
            try:
                change(request, actor, number)
            except (Refused, Invalid) as error:
                tell(request, error)
        return redirect("watch-hit", number)

    return view


def _hand_over(request: HttpRequest, actor: Actor, number: str) -> None:
    done = hand_over.hit_to_matter(number, by=actor, at=clock.now())
    text = _("Matter %(number)s was opened.") % {"number": done.matter_number}
    if done.capture is not None:
        text += " " + _("The listing's page is being captured.")
    messages.success(request, text)


def _golden(request: HttpRequest, actor: Actor, number: str) -> None:
    answer = request.POST.get("answer", "")
    if answer == "stop":
        review.stop_golden(number, by=actor, at=clock.now())
        messages.success(request, _("Reviewers are not shown it any more."))
        return
    review.add_golden(number, cast('Literal["confirm", "dismiss"]', answer), by=actor, at=clock.now())
    messages.success(request, _("It is shown to reviewers now and then; they do not know which one it is."))


# ---- pictures and proofs


def shown_pictures(one: HitStory) -> dict[int, str]:
    """Addresses of those pictures of the listing whose bytes the platform keeps, by their place."""
    found = [each["picture"] for each in one.found.get("pictures", ())]
    places = pictures.places_of(one.listing, found, at=clock.now())
    return {place: reverse("watch-hit-picture", args=[one.summary.number, place]) for place in places}


@require_safe
def picture(request: HttpRequest, number: str, place: int) -> HttpResponse:
    """One picture of the listing, decoded and encoded anew."""
    data = pictures.picture_of(actor_of(request), number, place, at=clock.now())
    if data is None:
        raise Http404
    small = "small" in request.GET
    tag = hashlib.sha256(data + bytes([small])).hexdigest()[:32]
    if has(request, tag):
        return shown(tag, None)
    return shown(tag, thumbnail(data, SMALL) if small else thumbnail(data))


@require_safe
def work(request: HttpRequest, number: str) -> HttpResponse:
    """The first picture of one's own work."""
    one = works.work_of(actor_of(request), number)
    first = next((each for each in one.files if showable(each)), None)
    if first is None:
        raise Http404
    return stored_picture(request, first.sha256)


@require_safe
def proof(request: HttpRequest, number: str) -> HttpResponse:
    """That a scan said this: the row, its partition, and the way to the root that stands on the ledger."""
    return _file(f"{number}-proof.json", _proof(actor_of(request), number)[0])


@require_safe
def proof_total(request: HttpRequest, number: str) -> HttpResponse:
    """The scan's statement that the proof leads to; its digest has a receipt."""
    return _file(f"{number}-scan.json", _proof(actor_of(request), number)[1])


def _proof(actor: Actor, number: str) -> tuple[bytes, bytes]:
    with turn(actor):
        return proofs.proof_of_hit(actor, number)


@require_safe
def decision(request: HttpRequest, number: str, place: int) -> HttpResponse:
    """That a decision stands in a sheet: its record, which names nobody, and the way to the sheet's root."""
    one = decisions.decision_of(actor_of(request), number, place)
    return _file(f"{number}-{place}.json", one.proof)


@require_safe
def decision_sheet(request: HttpRequest, number: str, place: int) -> HttpResponse:
    """The sheet that the proof leads to; its digest is on the ledger."""
    one = decisions.decision_of(actor_of(request), number, place)
    return _file(f"{one.sheet}.json", one.content)


@require_safe
def decision_receipt(request: HttpRequest, number: str, place: int) -> HttpResponse:
    """The sheet's receipt, also for the right's holder, whose deposit it is not."""
    actor = actor_of(request)
    one = decisions.decision_of(actor, number, place)
    data = ReceiptForm(form=TLOG_PROOF).write(decisions.sheet_receipt(actor, number, one.sheet))
    return _file(f"{one.sheet}.json.{TLOG_PROOF}", data)


def _file(name: str, data: bytes) -> HttpResponse:
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return private(response)


urlpatterns = [
    path("watch/hits", listing, name="watch-hits"),
    path("watch/hits/many", many, name="watch-many"),
    path("watch/hits/many/undo", undo_many, name="watch-many-undo"),
    path("watch/hits/<str:number>", detail, name="watch-hit"),
    path("watch/hits/<str:number>/decide", decide, name="watch-hit-decide"),
    path("watch/hits/<str:number>/undo", undo, name="watch-hit-undo"),
    path("watch/hits/<str:number>/matter", small_form(_hand_over), name="watch-hit-matter"),
    path("watch/hits/<str:number>/golden", small_form(_golden), name="watch-hit-golden"),
    path("watch/hits/<str:number>/pictures/<int:place>.png", picture, name="watch-hit-picture"),
    path("watch/hits/<str:number>/proof.json", proof, name="watch-hit-proof"),
    path("watch/hits/<str:number>/scan.json", proof_total, name="watch-hit-proof-scan"),
    path("watch/hits/<str:number>/decisions/<int:place>/proof.json", decision, name="watch-hit-decision"),
    path("watch/hits/<str:number>/decisions/<int:place>/sheet.json", decision_sheet, name="watch-hit-decision-sheet"),
    path(
        "watch/hits/<str:number>/decisions/<int:place>/sheet.json.tlog-proof",
        decision_receipt,
        name="watch-hit-decision-receipt",
    ),
    path("watch/works/<str:number>.png", work, name="watch-work"),
]
