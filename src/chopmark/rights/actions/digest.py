"""One mail a day to an organisation's people: terms that come near and what its watches found.

The worker calls `send_digests` once an hour. What is told is written down first, for each organisation once; then each
mail is marked as gone before it is handed over, so that a process killed in between loses a mail rather than sends it
twice. Only where the mail server surely took nothing is it tried again. What was not mailed stands on the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from chopmark.base.errors import Fact, Unavailable
from chopmark.base.wording import Language, say
from chopmark.people import mail
from chopmark.people.queries import Reader, organisation_name, readers_of
from chopmark.rights.models import Digest, DigestItem, DigestMail, Find, Mandate, Reminder
from chopmark.rights.queries import access
from chopmark.rights.queries.follow import PUBLIC
from chopmark.rights.queries.registry import reader_of

ORGANISATIONS_AT_ONCE = 500
MAILS_AT_ONCE = 200
MAX_ITEMS = 500
"""Of a kind in one digest; what is left comes the day after."""
SHOWN = 30
"""Of a kind, line by line; the rest is counted."""
PAUSE = timedelta(minutes=55)
MAX_TRIES = 72
"""Three days of a mail server that does not answer."""
LANGUAGES: dict[str, tuple[Language, ...]] = {"zh": ("zh",), "en": ("en",), "": ("zh", "en")}
Post = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one call did.

    Attributes:
        looked: organisations that something may have been new for.
        sent, moot, failed: mails that went out, that were not wanted any more, that the mail server did not take.
        more: there is more to do now.
    """

    looked: int
    sent: int
    moot: int
    failed: int
    more: bool


def send_digests(at: datetime, *, address: str, post: Post = mail.post) -> Sent:
    """Write what is new since the last time, and send what is due.

    Args:
        address: of this site, for links.
        post: hands one mail over: to, subject, body; raises as `people.mail.post` does.
    """
    Digest.objects.filter(day__lt=at.date(), items=None).delete()
    found = _with_news(at)
    looked = sum(_written(each, at) for each in found[:ORGANISATIONS_AT_ONCE])
    sent = moot = failed = 0
    rows = DigestMail.objects.filter(over_at=None).filter(Q(tried_at=None) | Q(tried_at__lte=at - PAUSE))
    due = list(rows.select_related("digest").order_by("pk")[:MAILS_AT_ONCE])
    for row in due:
        try:
            gone = _sent(row, at, address, post)
        except Unavailable as error:
            failed += 1
            if error.code != "people.mail_refused":
                break  # the server is away: the next round is early enough
            continue
        sent, moot = sent + gone, moot + (not gone)
    more = (looked > 0 and len(found) > ORGANISATIONS_AT_ONCE) or (not failed and len(due) == MAILS_AT_ONCE)
    return Sent(looked=looked, sent=sent, moot=moot, failed=failed, more=more)


# ---- what there is to tell


def _with_news(at: datetime) -> list[UUID]:
    """Organisations that something new concerns and that were told nothing today."""
    told = DigestItem.objects.filter(reminder=OuterRef("pk"), organisation=OuterRef("right__organisation"))
    due = Reminder.objects.filter(done_at=None)
    own = due.filter(~Exists(told)).values_list("right__organisation", flat=True)
    agents = Mandate.objects.filter(principal__in=due.values("right__organisation"), accepted_on__lte=at.date())
    watching = _new_finds().values_list("watch__organisation", flat=True)
    today = set(Digest.objects.filter(day=at.date()).values_list("organisation", flat=True))
    found = {*own.distinct(), *agents.values_list("agent", flat=True).distinct(), *watching.distinct()}
    return sorted(found - today)


def _new_finds() -> QuerySet[Find]:
    told = DigestItem.objects.filter(find=OuterRef("pk"))
    return Find.objects.filter(~Exists(told), seen_at=None, watch__stopped_at=None, right__state__in=PUBLIC)


def _new_reminders(organisation: UUID, at: datetime) -> QuerySet[Reminder]:
    """Of rights that the organisation may see now: its own, and its clients' as far as mandates reach."""
    told = DigestItem.objects.filter(reminder=OuterRef("pk"), organisation=organisation)
    seen = access.visible(reader_of(organisation), at).values("pk")
    return Reminder.objects.filter(~Exists(told), done_at=None, right__in=seen)


def _written(organisation: UUID, at: datetime) -> bool:
    """Write down what is told today and to whom; whether it could be.

    Where there is nothing, the day is noted all the same: nobody who has no news keeps those that have from their turn.
    """
    reminders = list(_new_reminders(organisation, at).order_by("due", "pk")[:MAX_ITEMS])
    finds = list(_new_finds().filter(watch__organisation=organisation).order_by("-total", "pk")[:MAX_ITEMS])
    readers = readers_of(organisation, "file_rights") if reminders or finds else ()
    try:
        with transaction.atomic():
            row = Digest.objects.create(organisation=organisation, day=at.date(), made_at=at)
            DigestItem.objects.bulk_create(
                [
                    *(DigestItem(digest=row, organisation=organisation, reminder=each) for each in reminders),
                    *(DigestItem(digest=row, organisation=organisation, find=each) for each in finds),
                ]
            )
            DigestMail.objects.bulk_create([DigestMail(digest=row, user=each.user_id) for each in readers])
    except IntegrityError:  # another process was faster
        return False
    return True


# ---- one mail


def _sent(row: DigestMail, at: datetime, address: str, post: Post) -> bool:
    """Send one; False where there is nobody, or nothing any more, to send it to.

    Raises:
        Unavailable: what `post` raises.
    """
    mine = DigestMail.objects.filter(pk=row.pk, over_at=None, tries=row.tries)
    if not mine.update(tries=F("tries") + 1, tried_at=at, over_at=at, trouble="people.mail_unsure"):
        return False  # another process has it
    kept = DigestMail.objects.filter(pk=row.pk)
    readers = readers_of(row.digest.organisation, "file_rights")
    reader = next((each for each in readers if each.user_id == row.user), None)
    letter = None if reader is None else letter_of(row.digest, reader, address, at)
    if reader is None or letter is None:
        kept.update(trouble="rights.digest_moot")
        return False
    try:
        post(reader.email, *letter)
    except Unavailable as error:
        again = error.code != "people.mail_unsure" and row.tries + 1 < MAX_TRIES
        kept.update(trouble=error.code, over_at=None if again else at)
        raise
    kept.update(sent_at=at, trouble="")
    return True


def letter_of(digest: Digest, reader: Reader, address: str, at: datetime) -> tuple[str, str] | None:
    """Subject and body in the reader's language; None where all of it was done or seen meanwhile.

    What the organisation may not see any more, because a mandate ended, is left out.
    """
    seen = access.visible(reader_of(digest.organisation), at).values("pk")
    reminders = list(
        Reminder.objects.filter(told__digest=digest, done_at=None, right__in=seen)
        .select_related("right")
        .order_by("due", "pk")
    )
    finds = list(
        Find.objects.filter(told__digest=digest, seen_at=None, watch__stopped_at=None, right__state__in=PUBLIC)
        .select_related("right", "watch")
        .order_by("-total", "pk")
    )
    if not reminders and not finds:
        return None
    organisation = organisation_name(digest.organisation) or ""
    spoken = LANGUAGES[reader.language]
    facts: dict[str, Fact] = {"organisation": organisation, "n": len(reminders) + len(finds)}
    subject = " · ".join(say("rights.digest_subject", facts, each) for each in spoken)
    news = _News(organisation=organisation, reminders=reminders, finds=finds, address=address, today=at.date())
    return subject, "\n\n\n".join(_body(news, each) for each in spoken) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    organisation: str
    reminders: Sequence[Reminder]
    finds: Sequence[Find]
    address: str
    today: date


def _body(news: _News, spoken: Language) -> str:
    parts = [say("rights.digest_opening", {"organisation": news.organisation}, spoken)]
    if news.reminders:
        lines = [_reminder(each, news.today, spoken) for each in news.reminders[:SHOWN]]
        parts.append(_listed("rights.digest_reminders", lines, len(news.reminders), f"{news.address}/rights/", spoken))
    if news.finds:
        lines = [_find(each, spoken) for each in news.finds[:SHOWN]]
        parts.append(_listed("rights.digest_finds", lines, len(news.finds), f"{news.address}/rights/search", spoken))
    parts.append(say("rights.digest_closing", {"link": f"{news.address}/organisations/mail"}, spoken))
    return "\n\n".join(parts)


def _listed(heading: str, lines: list[str], count: int, link: str, spoken: Language) -> str:
    rest = [say("rights.digest_more", {"n": count - len(lines)}, spoken)] if count > len(lines) else []
    return "\n".join([say(heading, {}, spoken), *lines, *rest, link])


def _reminder(each: Reminder, today: date, spoken: Language) -> str:
    what = say(f"rights.digest_{each.kind}", {}, spoken)
    facts: dict[str, Fact] = {
        "what": what,
        "day": each.due.isoformat(),
        "n": abs((each.due - today).days),
        "number": each.right.number,
        "title": _plain(each.right.title),
    }
    return say("rights.digest_past" if each.due < today else "rights.digest_due", facts, spoken)


def _find(each: Find, spoken: Language) -> str:
    facts: dict[str, Fact] = {
        "watched": _plain(each.watch.text),
        "text": _plain(each.text or each.right.title),
        "numbers": _plain(f"{each.right.office} {each.right.registration_number or each.right.application_number}"),
        "total": round(each.total / 10),
    }
    return say("rights.digest_find", facts, spoken)


def _plain(text: str) -> str:
    """A stranger's words on one line, and no address that a reader's program would make a link of."""
    return " ".join(text.replace("://", ": //").split())[:100] or "–"
