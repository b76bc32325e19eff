"""The trust page `/trust`: who holds the ledger with the platform, how far each is, by which rule, and how to check it.

Public. Everything stands on it that a stranger needs in order not to believe it: policy, cards, history, commands.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from chopmark.base.errors import Refused
from chopmark.base.wording import Language
from chopmark.evidence import governance, stamps, wiring
from chopmark.ledger.card import MIRROR, WITNESS, Card
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VerifierKey
from chopmark.ledger.stores import Published
from chopmark.web import standing
from chopmark.web.context import language
from chopmark.web.downloads import attachment

ALGORITHMS = {ED25519: "Ed25519", ED25519_COSIGNATURE: "Ed25519", MLDSA44_COSIGNATURE: "ML-DSA-44"}
PAPERS = {
    "trust_policy": gettext_lazy("Trust policy"),
    "trust_policy_forced": gettext_lazy("Trust policy, put in force without the former quorum"),
    "member_card": gettext_lazy("Member admitted"),
    "member_rotation": gettext_lazy("Member's keys exchanged"),
    "member_retired": gettext_lazy("Member retired"),
    "log_key": gettext_lazy("Key of the log"),
    "log_key_rotation": gettext_lazy("Keys of the log exchanged"),
    "log_key_retired": gettext_lazy("Key of the log retired"),
    "authority": gettext_lazy("Time-stamp authority trusted"),
    "authority_retired": gettext_lazy("Time-stamp authority no longer trusted"),
    "key": gettext_lazy("Key that signs such decisions"),
}
ENDINGS = {"text/plain": "txt", "application/json": "json", "application/pkix-cert": "der"}
STAMPS = 500
MINUTE, HOUR, DAY = 60, 3600, 86_400  # seconds


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Members, policy, history, keys, time, and the commands that check them."""
    now = standing.standing()
    speaks = language()
    response = render(
        request,
        "trust/page.html",
        {
            "standing": now,
            "members": [_row(each, speaks) for each in now.members],
            "parts": [
                {"sentence": _part_sentence(each), "members": [member.title(speaks) for member in each.members]}
                for each in now.parts
            ],
            "only_local": bool(now.members) and all(_is_local(each.card) for each in now.members),
            "origin": wiring.origin(),
            "log_keys": [_key(each) for each in wiring.log_keys()],
            "retired_log_keys": [_key(each) for each in wiring.retired_log_keys()],
            "policies": [{"size": size, "last": size == _newest_policy()} for size, _text in wiring.policy_history()],
            "retired_cards": [_retired(each, speaks) for each in wiring.retired_cards()],
            "papers": [_paper(each) for each in reversed(governance.papers())],
            "authorities": _authorities(),
            "commands": _commands(request, now),
            "notice": notice(now),
            "waiting_entries": (now.waiting_size or 0) - now.size,
        },
    )
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
def card(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001 (public)
    """A member's card as it was adopted."""
    for each in wiring.cards():
        if each.name == name:
            return _file(each.encode(), "application/json", f"{name}.json")
    raise Http404


@require_safe
def retired_card(request: HttpRequest, number: int) -> HttpResponse:  # noqa: ARG001 (public)
    """A card that was in use once; its keys verify what they signed then."""
    cards = wiring.retired_cards()
    if number >= len(cards):
        raise Http404
    return _file(cards[number].encode(), "application/json", f"{cards[number].name}-retired.json")


@require_safe
def past_policy(request: HttpRequest, size: int) -> HttpResponse:  # noqa: ARG001 (public)
    """The trust policy that was put in force at a size of the ledger."""
    for start, text in wiring.policy_history():
        if start == size:
            return _file(text, "text/plain; charset=utf-8", f"chopmark-{size}.policy")
    raise Http404


@require_safe
def paper(request: HttpRequest, digest: str) -> HttpResponse:  # noqa: ARG001 (public)
    """The paper behind a statement of governance, by its SHA-256."""
    try:
        media, data = governance.paper(bytes.fromhex(digest))
    except (Refused, ValueError) as error:
        raise Http404 from error
    return _file(data, media, f"{digest[:16]}.{ENDINGS.get(media, 'bin')}")


def notice(now: standing.Standing | None) -> dict[str, Any] | None:
    """What pages say while deposits wait for members; None while they do not."""
    if now is None or now.quorum != "missing":
        return None
    speaks = language()
    return {
        "since": now.waiting_since,
        "present": [each.title(speaks) for each in now.present],
        "missing": [each.title(speaks) for each in now.missing],
    }


def waiting_notice() -> dict[str, Any] | None:
    """The same for a page that shows no more of the consortium than this."""
    return notice(standing.waiting())


def cosigners(checkpoint: Published | None) -> list[dict[str, Any]]:
    """The institutions that signed a receipt's checkpoint, and when, for a list."""
    if checkpoint is None:
        return []
    return [
        {"name": each.name, "at": each.at} for each in standing.cosigners(checkpoint.note, checkpoint.size, language())
    ]


def span(length: timedelta) -> str:
    """How long, in the largest unit that fits."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < MINUTE:
        return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}
    if seconds < HOUR:
        return ngettext("%(n)s minute", "%(n)s minutes", seconds // MINUTE) % {"n": seconds // MINUTE}
    if seconds < DAY:
        return ngettext("%(n)s hour", "%(n)s hours", seconds // HOUR) % {"n": seconds // HOUR}
    return ngettext("%(n)s day", "%(n)s days", seconds // DAY) % {"n": seconds // DAY}


def _row(member: standing.Member, speaks: Language) -> dict[str, Any]:
    roles = {
        MIRROR: _("mirror"),
        WITNESS: _("witness"),
    }
    held = [role for role in (MIRROR, WITNESS) if member.card.keys_of(role)]
    return {
        "name": member.name,
        "title": member.title(speaks),
        "kind": member.kind,
        "roles": [roles[role] for role in held],
        "url": member.card.url,
        "counts": member.counts,
        "size": member.size,
        "at": member.at,
        "behind": member.behind,
        "lag": span(member.behind_for) if member.behind_for is not None else "",
        "trouble": standing.trouble_text(member.trouble, member.title(speaks), speaks) if member.trouble else "",
        "since": member.since,
        "alarms": member.alarms,
        "alarm": standing.alarm_text(member, speaks),
        "alarm_at": member.alarm_at,
        "keys": [_key(each.key) | {"role": each.role} for each in member.card.keys],
    }


def _is_local(card: Card) -> bool:
    """Whether a node runs on this very machine."""
    return card.url is not None and urlsplit(card.url).hostname in {"localhost", "127.0.0.1", "::1"}


def _part_sentence(part: standing.Part) -> str:
    if part.threshold == len(part.members):
        return _("All of:")
    return _("At least %(k)s of these %(n)s:") % {"k": part.threshold, "n": len(part.members)}


def _key(key: VerifierKey) -> dict[str, str]:
    return {
        "algorithm": ALGORITHMS.get(key.type, str(key.type)),
        "id": key.key_id.hex(),
        "vkey": str(key),
        "name": key.name,
    }


def _retired(each: Card, speaks: Language) -> dict[str, Any]:
    title = each.zh if speaks == "zh" else each.en
    return {"title": title, "keys": [_key(key) for key in each.cosigning_keys]}


def _paper(each: governance.Paper) -> dict[str, Any]:
    return {
        "what": str(PAPERS.get(each.kind, each.kind)),
        "name": "" if each.kind.startswith("trust_policy") else each.name,
        "digest": each.sha256.hex(),
        "at": each.made_at,
        "position": each.position,
        "in_force_from": each.in_force_from,
    }


def _authorities() -> list[dict[str, Any]]:
    """Each time-stamp authority and chain with its newest stamp; independent ones first."""
    newest: dict[str, stamps.StampState] = {}
    for each in stamps.newest(STAMPS):
        if each.state == stamps.DONE:
            newest.setdefault(each.authority, each)
    waiting = Counter(each.authority for each in stamps.open_stamps())
    own = {each.authority: each.own for each in (*newest.values(), *stamps.open_stamps())}
    own |= {each.name: each.own for each in stamps.authorities()}
    return [
        {"name": name, "own": is_own, "newest": newest.get(name), "waiting": waiting[name]}
        for name, is_own in sorted(own.items(), key=lambda each: (each[1], each[0]))
    ]


def _newest_policy() -> int:
    return max((size for size, _text in wiring.policy_history()), default=0)


def _commands(request: HttpRequest, now: standing.Standing) -> list[dict[str, str]]:
    """What anybody types to check all this; addresses are this site's and the first member's."""
    site = request.build_absolute_uri("/").rstrip("/")
    policy = request.build_absolute_uri(reverse("policy"))
    found = [
        {
            "why": _("Get the policy. Compare it with a copy that you got another way."),
            "text": f"curl -fo chopmark.policy {policy}",
        },
        {
            "why": _("Verify a receipt, without network: it names who signed and when."),
            "text": "chopmark verify FILE --policy chopmark.policy",
        },
        {
            "why": _("Read the whole ledger, compute every hash anew, check that the quorum signed."),
            "text": f"chopmark log audit --from {site}/log --policy chopmark.policy",
        },
    ]
    mirrors = [each.card for each in now.members if each.card.mirrors and each.card.url]
    if mirrors:
        held = f"{mirrors[0].url}/mirror/{standing.log_id()}"
        found.append(
            {
                "why": _("The same from a member's own copy, without this site."),
                "text": f"chopmark member audit --from {held} --log chopmark.policy",
            }
        )
    found.append(
        {
            "why": _("Write a receipt's time stamps to files, with the openssl commands that check them."),
            "text": "chopmark verify FILE --policy chopmark.policy --anchors .",
        }
    )
    return found


def _file(data: bytes, media: str, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type=media)
    response["Content-Disposition"] = attachment(name)
    return response


urlpatterns = [
    path("trust", page, name="trust"),
    path("trust/members/<slug:name>.json", card, name="trust-card"),
    path("trust/retired/<int:number>.json", retired_card, name="trust-retired"),
    path("trust/papers/<str:digest>", paper, name="trust-paper"),
    path("trust/policies/<int:size>.policy", past_policy, name="trust-policy"),
]
