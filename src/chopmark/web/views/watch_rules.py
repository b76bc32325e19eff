"""Pages of rules: propose one, try it on history, in its shadow, publish it, stop it, see how often versions fire.

No rule of its own stands here: what may be published is decided by `watch.actions.rules`.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.people.actor import Actor
from chopmark.watch.actions import rules as ruling
from chopmark.watch.actions.card import card_of, forget_card, learn_card
from chopmark.watch.features import FEATURES, Value
from chopmark.watch.queries import history, rules
from chopmark.watch.queries.history import Tried
from chopmark.watch.queries.proven import proven_of
from chopmark.watch.queries.rules import (
    ChangeSummary,
    CountSummary,
    DayOfBoth,
    RuleStory,
    RuleSummary,
    VersionSummary,
)
from chopmark.watch.rules.rule import Example, Rule, parse_rule, read_toml
from chopmark.web.context import actor_of, language
from chopmark.web.forms.watch import RuleForm, as_toml, typed_rule
from chopmark.web.turns import turn
from chopmark.web.views import watch_words as words
from chopmark.web.views.casework import tell, worded
from chopmark.web.views.right_words import in_words, sentence
from chopmark.web.views.rights import private
from chopmark.web.views.watch_nav import watch_nav


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The organisation's rules."""
    actor = actor_of(request)
    context = {
        "watch_nav": watch_nav(request),
        "rules": [row_facts(each) for each in rules.rules_of(actor)],
        "may_manage": actor.may("manage_rules"),
        "card": card_facts(actor),
    }
    return private(render(request, "watch/rules.html", context))


def card_facts(actor: Actor) -> dict[str, Any]:
    """The score card in use: of how many decisions, from which score on measures may go out without a person."""
    learned = card_of(actor)
    if learned is None:
        return {"learned": False}
    return {
        "learned": True,
        "samples": learned.samples,
        "threshold": learned.threshold,
        "needed": learned.needed,
        "version": learned.card.version[:12],
    }


def row_facts(one: RuleSummary) -> dict[str, Any]:
    """A rule in a list."""
    rule = one.rule
    return {
        "name": one.name,
        "url": reverse("watch-rule", args=[one.name]),
        "title": title_of(rule),
        "state": one.state,
        "state_text": in_words(words.RULE_STATE_WORDS, one.state),
        "state_mark": words.RULE_MARKS.get(one.state, ""),
        "version": one.version,
        "trial": one.trial.seq if one.trial is not None else None,
        "action": in_words(words.OUTCOME_WORDS, rule.action),
        "reason": in_words(words.WHY_WORDS, rule.reason),
        "changed_at": one.changed_at,
    }


def title_of(rule: Rule) -> str:
    """In the reader's language."""
    return rule.zh if language() == "zh" else rule.en


# ---- one rule


@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    """A rule with its versions, its steps and its counts."""
    return page(request, actor_of(request), name)


def page(request: HttpRequest, actor: Actor, name: str, *, tried: Tried | None = None) -> HttpResponse:
    """The rule's page, with a back-test that was just made."""
    one = rules.rule_of(actor, name)
    names = words.names_of(actor)
    rule, manages = one.summary.rule, actor.may("manage_rules")
    newest, runs = one.versions[0].seq, one.summary.version
    waits = newest not in running(one.summary)
    chosen = newest if waits else runs  # what the buttons at the head are about; a trial has its own
    live = one.summary.state == "live"
    context = {
        "watch_nav": watch_nav(request),
        "rule": row_facts(one.summary),
        "condition": rule.condition.text,
        "used": used_features(rule),
        "facts": rule_facts(rule),
        "positive": [example_facts(each) for each in rule.positive],
        "negative": [example_facts(each) for each in rule.negative],
        "versions": [version_facts(each, names, running(one.summary)) for each in one.versions],
        "changes": [change_facts(each, names) for each in one.changes],
        "counts": [count_facts(each) for each in one.counts],
        "alarm": alarm_text(one, clock.now().date()),
        "trial": trial_facts(one, clock.now().date()),
        "proven": proven_facts(actor, rule),
        "tried": tried,
        "may_manage": manages,
        "newest": newest,
        "chosen": chosen,
        "waits": waits,
        "next": next_facts(rule, _newest(one)) if waits else None,
        "may_shadow": manages and (waits or one.summary.state in ("draft", "stopped")),
        "may_publish": manages and (waits or not live),
        "may_stop": manages and one.summary.state in ("shadow", "live"),
    }
    return private(render(request, "watch/rule.html", context))


def next_facts(rule: Rule, newer: Rule) -> dict[str, Any]:
    """What a newer version says, and what of it is otherwise than in the one that counts now."""
    here = dict(rule_facts(rule))
    return {
        "title": title_of(newer),
        "condition": newer.condition.text,
        "facts": [(label, value) for label, value in rule_facts(newer) if here[label] != value],
    }


def running(one: RuleSummary) -> tuple[int, ...]:
    """The version that the rule stands at, and the one that counts beside it."""
    return (one.version,) if one.trial is None else (one.version, one.trial.seq)


def trial_facts(one: RuleStory, today: date) -> dict[str, Any] | None:
    """What counts beside the version in force: what it says, its days beside the other's, what would stop it."""
    trial = one.summary.trial
    if trial is None:
        return None
    ringing = one.trial_ringing(today)
    return {
        "seq": trial.seq,
        **next_facts(one.summary.rule, trial.rule),
        "days": [day_facts(each) for each in one.beside()],
        "alarm": worded(ringing.code, ringing.facts) if ringing is not None and ringing.stops else "",
    }


def day_facts(one: DayOfBoth) -> dict[str, Any]:
    """A day of the version in force and of its trial."""
    return {"day": one.day, "live": count_facts(one.live) if one.live else None, "trial": count_facts(one.trial)}


def proven_facts(actor: Actor, rule: Rule) -> dict[str, Any] | None:
    """What judged samples prove of a rule that may act without a person; None for one that never does."""
    if rule.action not in ("hold", "takedown"):
        return None
    found = proven_of(actor, rule.id, needed=rule.needed)
    return {
        "seq": found.seq,
        "labelled": found.bound.labelled,
        "confirmed": found.bound.confirmed,
        "least": f"{found.bound.lower / 10:.1f} %" if found.bound.labelled else "–",
        "missing": found.missing,
    }


def used_features(rule: Rule) -> list[dict[str, str]]:
    """The features that its condition names, with their meaning."""
    zh = language() == "zh"
    named = sorted(set(rule.condition.text.replace("(", " ").replace(")", " ").replace(",", " ").split()))
    return [
        {"name": each, "says": FEATURES[each].zh if zh else FEATURES[each].en} for each in named if each in FEATURES
    ]


def rule_facts(rule: Rule) -> list[tuple[str, str]]:
    """What decides beside the condition."""
    everywhere, every = _("all of your marketplaces"), _("all rights")
    return [
        (_("Proposes"), in_words(words.OUTCOME_WORDS, rule.action)),
        (_("Suspicion"), in_words(words.WHY_WORDS, rule.reason)),
        (_("Marketplaces"), ", ".join(rule.scope.marketplaces) or everywhere),
        (_("Rights"), ", ".join(rule.scope.rights) or every),
        (_("Stops itself above, flags a day"), f"{rule.flags_a_day:,}"),
        (_("Precision to be proven before it acts without a person"), f"{rule.needed / 10:.1f} %"),
        (_("Expires"), rule.expires.isoformat() if rule.expires else pgettext("watch", "never")),
    ]


def example_facts(one: Example) -> dict[str, Any]:
    """An example row; values as conditions write them."""
    values = [{"name": name, "value": _as_written(value)} for name, value in one.values.items()]
    return {"says": one.words(language()), "values": values}


def _as_written(value: Value) -> str:
    if value is None:
        return "NULL"
    return str(value).upper() if isinstance(value, bool) else str(value)


def version_facts(one: VersionSummary, names: dict[int, str], runs: tuple[int, ...]) -> dict[str, Any]:
    """One text of a rule."""
    return {
        "seq": one.seq,
        "sha256": one.sha256.hex(),
        "who": words.who(names, one.made_by, mine=True),
        "at": one.made_at,
        "deposit_url": reverse("deposit", args=[one.deposit]) if one.deposit is not None else "",
        "current": one.seq == runs[0],
        "trial": one.seq in runs[1:],
    }


def change_facts(one: ChangeSummary, names: dict[int, str]) -> dict[str, Any]:
    """A step in a rule's life."""
    return {
        "text": in_words(words.RULE_STEP_WORDS, one.state),
        "seq": one.seq,
        "who": words.who(names, one.user, mine=True),
        "why": worded(one.why, one.facts) if one.why.startswith("watch.") else one.why,
        "at": one.at,
    }


def count_facts(one: CountSummary) -> dict[str, Any]:
    """A day of a rule."""
    return {
        "day": one.day,
        "seq": one.seq,
        "seen": one.seen,
        "fired": one.fired,
        "share": f"{100 * one.fired / one.seen:.1f} %" if one.seen else "–",
        "alone": one.alone,
    }


def alarm_text(one: RuleStory, today: date) -> str:
    """Why it was stopped, or what today's counts ring while it is in force; empty for nothing."""
    if one.summary.state == "stopped" and one.changes and one.changes[0].why.startswith("watch."):
        return worded(one.changes[0].why, one.changes[0].facts)
    ringing = one.ringing(today)
    return worded(ringing.code, ringing.facts) if ringing is not None else ""


# ---- propose one


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write a rule down, or the next version of one (`?of=`)."""
    actor = actor_of(request)
    actor.must("manage_rules")
    of = request.GET.get("of", "")[:40]
    before = rules.rule_of(actor, of) if of else None
    form = RuleForm(request.POST or None, initial=typed_rule(_newest(before)) if before is not None else None)
    if request.method == "POST" and form.is_valid():
        try:
            [rule] = read_toml(as_toml(form.cleaned_data)).rules
            made = ruling.propose_rule(rule, by=actor, at=clock.now())
        except (Refused, Invalid, Unavailable) as error:
            form.add_error("condition" if "position" in error.facts else None, sentence(error))
        except ValueError:  # the examples hold tables of other rules
            form.add_error("examples", _("Write only [[positive]] and [[negative]] tables."))
        else:
            messages.success(request, _("Version noted; its digest goes onto the ledger. What is in force stays so."))
            return redirect("watch-rule", made.name)
    context = {
        "watch_nav": watch_nav(request),
        "form": form,
        "of": of,
        "features": [
            {"name": name, "kind": each.kind, "says": each.zh if language() == "zh" else each.en}
            for name, each in FEATURES.items()
        ],
    }
    return private(render(request, "watch/rule_new.html", context, status=422 if form.errors else 200))


def _newest(one: RuleStory) -> Rule:
    """The newest text, which need not be the one in force."""
    return parse_rule(one.versions[0].text.encode())


@require_http_methods(["GET", "HEAD", "POST"])
def adopt(request: HttpRequest) -> HttpResponse:
    """Take the rules that ship into one's own, each in its shadow."""
    if request.method == "POST":
        try:
            made = ruling.adopt_default_rules(by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("%(n)s rules run in their shadow and count.") % {"n": len(made)})
    return redirect("watch-rules")


@require_http_methods(["GET", "HEAD", "POST"])
def learn(request: HttpRequest) -> HttpResponse:
    """Learn the score card of what persons decided, or go back to the one that ships."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            if request.POST.get("to") == "shipped":
                forget_card(by=actor)
                text = _("The card that ships is in use again.")
            else:
                with turn(actor):
                    text = _("Learned of %(n)s decided hits.") % {"n": learn_card(by=actor, at=clock.now()).samples}
        except (Refused, Invalid, Unavailable) as error:
            tell(request, error)
        else:
            messages.success(request, text)
    return redirect("watch-rules")


@require_http_methods(["GET", "HEAD", "POST"])
def try_out(request: HttpRequest, name: str) -> HttpResponse:
    """Run a version over what scans have kept."""
    actor = actor_of(request)
    if request.method != "POST":
        return redirect("watch-rule", name)
    actor.must("manage_rules")
    try:
        with turn(actor):
            tried = history.try_rule(actor, name, _seq(request), at=clock.now())
    except (Refused, Invalid) as error:
        tell(request, error)
        return redirect("watch-rule", name)
    return page(request, actor, name, tried=tried)


def _seq(request: HttpRequest) -> int:
    text = request.POST.get("seq", "")
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise Http404
    return int(text)


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, name: str) -> HttpResponse:
    """Shadow, publish, stop, or end a trial."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            text = _moved(request, actor, name)
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, text)
    return redirect("watch-rule", name)


def _moved(request: HttpRequest, actor: Actor, name: str) -> str:
    match request.POST.get("to"):
        case "shadow":
            ruling.shadow_rule(name, by=actor, at=clock.now(), seq=_seq(request))
            return _("It counts what it would flag, and does nothing.")
        case "live":
            ruling.publish_rule(name, by=actor, at=clock.now(), seq=_seq(request))
            return _("It is in force.")
        case "ended":
            ruling.end_trial(name, by=actor, at=clock.now(), seq=_seq(request))
            return _("The trial is over. The version in force goes on.")
        case "stopped":
            ruling.stop_rule(name, by=actor, at=clock.now(), why=request.POST.get("why", "")[:100])
            return _("It is stopped. Hits that it found stay.")
        case _:
            raise Http404


urlpatterns = [
    path("watch/rules", listing, name="watch-rules"),
    path("watch/rules/new", new, name="watch-rule-new"),
    path("watch/rules/adopt", adopt, name="watch-rules-adopt"),
    path("watch/rules/card", learn, name="watch-score-card"),
    path("watch/rules/<str:name>", detail, name="watch-rule"),
    path("watch/rules/<str:name>/try", try_out, name="watch-rule-try"),
    path("watch/rules/<str:name>/move", move, name="watch-rule-move"),
]
