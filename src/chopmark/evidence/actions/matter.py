"""Matters: open one, put evidence into it, hold it, let a court read it, close it.

Each action: who may, what must hold, the change, and its line in the custody log, all in one transaction.

    matter = open_matter(NewMatter(template="trademark_counterfeit", title=Both(zh="…", en="…")), by=actor, at=now)
    item = add_item(matter.id, NewItem(kind="invoice", title=Both(en="Invoice"), files=(NewFile(upload=id),)), ...)
    code, summary = grant(matter.id, given_to="Hangzhou Internet Court", by=actor, at=now)
    guest = use_grant(code, name="Judge Li", address="203.0.113.9", at=now)
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from chopmark import law
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions.deposit import MAX_TEXT, NewDeposit, Source, deposit, media_type, text
from chopmark.evidence.actions.record import changing, next_number, record, who_is
from chopmark.evidence.custody import Fact, Who
from chopmark.evidence.exif import HEAD, photo_facts
from chopmark.evidence.matters import (
    KINDS,
    ROLES,
    Both,
    GrantSummary,
    Guest,
    HoldSummary,
    ItemSummary,
    MatterSummary,
    grant_state,
    grant_summary,
    item_summary,
    matter_summary,
)
from chopmark.evidence.models import (
    Deposit,
    Grant,
    GrantUse,
    Hold,
    Item,
    ItemFile,
    Matter,
    Redaction,
    Upload,
    WrongCode,
)
from chopmark.people.actor import Actor

MAX_PURPOSE = 1000
MAX_FILES = 100  # of one item
MAX_ITEMS = 2000  # of one matter
MAX_SOURCE = 20  # facts about where an item is from
GRANT_LIFE = timedelta(hours=72)
LONGEST_GRANT = timedelta(days=90)
MAX_GRANTS = 200  # of one matter
WRONG_LIMIT = 10  # wrong codes from one address in WRONG_SPAN, or for one grant in its life
WRONG_SPAN = timedelta(minutes=15)
SELECTOR, SECRET = 5, 15  # characters of a code; the secret has 75 bits
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", " ": None, "-": None})
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
MAX_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMatter:
    """What somebody opens.

    Attributes:
        template: name of a template of `chopmark.law`.
        jurisdiction: ISO 3166-1 alpha-2; empty for the template's own.
        court_profile: code of a court of `chopmark.law`, or empty while nobody knows.
    """

    template: str
    title: Both
    jurisdiction: str = ""
    court_profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """One file for an item: a finished upload, or a deposit whose file the platform keeps.

    Attributes:
        role: `primary`, `rendition`, `log`, ... as the manifest says it.
        derived_from: place in the item's files, from 0, of the file that this one was made from.
    """

    upload: UUID | None = None
    deposit: UUID | None = None
    role: str = "primary"
    derived_from: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """What somebody puts into a matter.

    Attributes:
        kind: one of `matters.KINDS`.
        role: one of `matters.ROLES`.
        purpose: what it is to prove (证明目的).
        source: where it is from: up to 20 facts, for example `{"from": "buyer", "order": "1234"}`.
        phase: of the matter's template; empty for the matter's present one.
    """

    kind: str
    title: Both
    files: tuple[NewFile, ...]
    role: str = "original"
    purpose: Both = field(default_factory=Both)
    source: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""


def open_matter(new: NewMatter, *, by: Actor, at: datetime) -> MatterSummary:
    """Open a matter in the first phase of its template.

    Raises:
        Refused: `law.template_unknown`, `law.court_unknown`; what people's `must` raises.
        Invalid: `matter.title_missing`, `matter.jurisdiction_malformed`, `evidence.text_too_long`,
            `evidence.text_control`.
    """
    by.must("deposit")
    template = law.template(new.template)
    title = titled(new.title)
    jurisdiction = new.jurisdiction or template.jurisdiction
    if re.fullmatch("[A-Z]{2}", jurisdiction) is None:
        raise Invalid("matter.jurisdiction_malformed")
    if new.court_profile:
        law.court(new.court_profile)
    with wiring.answering(), transaction.atomic():
        row = Matter.objects.create(
            number=next_number("matter", "M", at),
            organisation=by.organisation_id,
            made_by=by.user_id,
            template=template.name,
            template_version=template.version,
            title_zh=title.zh,
            title_en=title.en,
            jurisdiction=jurisdiction,
            court_profile=new.court_profile,
            phase=template.phases[0].code,
            made_at=at,
        )
        facts: dict[str, Fact] = {"matter": row.number, "template": template.name, "version": template.version}
        record(row, "matter.opened", who=who_is(by), at=at, facts=facts)
    return matter_summary(row)


def change_matter(
    matter_id: UUID,
    *,
    title: Both | None = None,
    phase: str | None = None,
    court_profile: str | None = None,
    by: Actor,
    at: datetime,
) -> MatterSummary:
    """Change what a matter is called, which phase it is in, or which court it is for; what is None stays.

    Raises:
        Refused: `matter.not_found`, `matter.closed_conflict`, `law.phase_unknown`, `law.court_unknown`; what people's
            `must` raises.
        Invalid: as `open_matter`.
    """
    by.must("deposit")
    with changing(matter_id, by) as row:
        must_be_open(row)
        facts: dict[str, Fact] = {}
        if title is not None:
            wanted = titled(title)
            row.title_zh, row.title_en = wanted.zh, wanted.en
            facts |= {"title_zh": wanted.zh, "title_en": wanted.en}
        if phase is not None:
            row.phase = law.template(row.template).phase(phase).code
            facts["phase"] = row.phase
        if court_profile is not None:
            row.court_profile = law.court(court_profile).code if court_profile else ""
            facts["court_profile"] = row.court_profile
        row.save(update_fields=("title_zh", "title_en", "phase", "court_profile"))
        record(row, "matter.changed", who=who_is(by), at=at, facts=facts)
        return matter_summary(row)


def close_matter(matter_id: UUID, *, by: Actor, at: datetime) -> MatterSummary:
    """Close a matter: nothing is put in any more, everything can be read. It can be opened again.

    Raises:
        Refused: `matter.not_found`, `matter.closed_conflict`; what people's `must` raises.
    """
    by.must("deposit")
    with changing(matter_id, by) as row:
        must_be_open(row)
        row.closed_at = at
        row.save(update_fields=("closed_at",))
        record(row, "matter.closed", who=who_is(by), at=at)
        return matter_summary(row)


def reopen_matter(matter_id: UUID, *, by: Actor, at: datetime) -> MatterSummary:
    """Open a closed matter again.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    by.must("deposit")
    with changing(matter_id, by) as row:
        row.closed_at = None
        row.save(update_fields=("closed_at",))
        record(row, "matter.reopened", who=who_is(by), at=at)
        return matter_summary(row)


def delete_matter(matter_id: UUID, *, reason: str, by: Actor, at: datetime) -> None:
    """Put a matter out of sight: only an owner may. Deposits, their files and the custody log stay.

    Raises:
        Refused: `matter.not_found`, `matter.held_conflict` under a legal hold; what people's `must` raises.
        Invalid: `matter.reason_missing`, `evidence.text_too_long`.
    """
    by.must("manage_members")
    said = reasoned(reason)
    with changing(matter_id, by) as row:
        must_not_be_held(row)
        row.deleted_at = at
        row.save(update_fields=("deleted_at",))
        row.grants.filter(revoked_at=None).update(revoked_at=at)
        row.schedules.filter(ended_at=None).update(ended_at=at)
        record(row, "matter.deleted", who=who_is(by), at=at, facts={"reason": said})


def add_item(matter_id: UUID, new: NewItem, *, by: Actor, at: datetime, door: Source = "page") -> ItemSummary:
    """Put evidence into a matter. Uploads are deposited first, each file by itself, and kept.

    Raises:
        Refused: `matter.not_found`, `matter.closed_conflict`, `matter.items_full`, `matter.file_not_kept`,
            `law.phase_unknown`, `evidence.deposit_not_found`; what `deposit` answers for an upload; what people's
            `must` raises.
        Invalid: `matter.kind_unknown`, `matter.role_unknown`, `matter.title_missing`, `matter.files_missing`,
            `matter.file_malformed`, `matter.source_malformed`, `evidence.text_too_long`, `evidence.text_control`.
    """
    by.must("deposit")
    title, purpose, source = checked_item(new)
    matter = Matter.objects.filter(pk=matter_id, organisation=by.organisation_id, deleted_at=None).first()
    if matter is None:
        raise Refused("matter.not_found")
    must_be_open(matter)
    phase = law.template(matter.template).phase(new.phase or matter.phase).code
    deposits = _deposits(new.files, title, by, at, door)
    photos = [_photo(row) for row in deposits]
    with changing(matter_id, by) as row:
        must_be_open(row)
        item = Item.objects.create(
            matter=row,
            ordinal=next_ordinal(row),
            made_by=by.user_id,
            kind=new.kind,
            role=new.role,
            title_zh=title.zh,
            title_en=title.en,
            purpose_zh=purpose.zh,
            purpose_en=purpose.en,
            source=source,
            phase=phase,
            made_at=at,
        )
        names = bundle_names([each.file_name or each.number for each in deposits])
        for ordinal, (made, name, photo, wanted) in enumerate(zip(deposits, names, photos, new.files, strict=True)):
            ItemFile.objects.create(
                item=item,
                ordinal=ordinal,
                name=name,
                file_name=made.file_name,
                media_type=made.media_type,
                size=made.size or 0,
                sha256=made.sha256,
                sm3=made.sm3,
                role=wanted.role,
                derived_from="" if wanted.derived_from is None else names[wanted.derived_from],
                photo=photo,
                deposit=made,
            )
        record_item(row, item, who=who_is(by), at=at)
    return item_summary(item)


def record_item(matter: Matter, item: Item, *, who: Who, at: datetime) -> None:
    """The custody lines of a new item: one for it, one for each file with its digest and deposit."""
    files = list(item.files.select_related("deposit").order_by("ordinal"))
    facts: dict[str, Fact] = {"kind": item.kind, "phase": item.phase, "role": item.role, "files": len(files)}
    record(matter, "item.added", who=who, at=at, item=str(item), facts=facts)
    for each in files:
        told: dict[str, Fact] = {"name": each.name, "bytes": each.size, "sha256": bytes(each.sha256).hex()}
        if each.deposit is not None:
            told["deposit"] = each.deposit.number
        record(matter, "file.added", who=who, at=at, item=str(item), facts=told)


def remove_item(item_id: UUID, *, reason: str, by: Actor, at: datetime) -> None:
    """Take an item out: it goes into no bundle any more. Its number, its deposits and its custody lines stay.

    Raises:
        Refused: `matter.item_not_found`, `matter.closed_conflict`, `matter.held_conflict` under a legal hold; what
            people's `must` raises.
        Invalid: `matter.reason_missing`, `evidence.text_too_long`.
    """
    by.must("deposit")
    said = reasoned(reason)
    mine = Item.objects.filter(pk=item_id, removed_at=None, matter__organisation=by.organisation_id)
    found = mine.filter(matter__deleted_at=None).first()
    if found is None:
        raise Refused("matter.item_not_found")
    with changing(found.matter_id, by) as row:
        must_be_open(row)
        must_not_be_held(row)
        if not mine.update(removed_at=at, removed_reason=said):
            raise Refused("matter.item_not_found")
        record(row, "item.removed", who=who_is(by), at=at, item=str(found), facts={"reason": said})


def hold(matter_id: UUID, *, reason: str, by: Actor, at: datetime) -> HoldSummary:
    """Put a matter under legal hold: nothing of it can be deleted or taken out until an owner lifts it.

    Raises:
        Refused: `matter.not_found`, `matter.held_conflict` when it is already; what people's `must` raises.
        Invalid: `matter.reason_missing`, `evidence.text_too_long`.
    """
    by.must("deposit")
    said = reasoned(reason)
    with changing(matter_id, by) as row:
        must_not_be_held(row)
        Hold.objects.create(matter=row, reason=said, placed_by=by.user_id, placed_at=at)
        record(row, "hold.placed", who=who_is(by), at=at, facts={"reason": said})
    return HoldSummary(
        reason=said, placed_by=by.user_id, placed_at=at, lifted_by=None, lifted_at=None, lifted_reason=""
    )


def lift_hold(matter_id: UUID, *, reason: str, by: Actor, at: datetime) -> None:
    """Lift the legal hold: a person who owns the organisation, with a reason.

    Raises:
        Refused: `matter.not_found`, `matter.hold_not_found`; what people's `must` raises.
        Invalid: `matter.reason_missing`, `evidence.text_too_long`.
    """
    by.must("manage_members")
    said = reasoned(reason)
    with changing(matter_id, by) as row:
        in_force = Hold.objects.filter(matter=row, lifted_at=None)
        if not in_force.update(lifted_by=by.user_id, lifted_at=at, lifted_reason=said):
            raise Refused("matter.hold_not_found")
        record(row, "hold.lifted", who=who_is(by), at=at, facts={"reason": said})


def grant(
    matter_id: UUID, *, given_to: str, purpose: str = "", life: timedelta = GRANT_LIFE, by: Actor, at: datetime
) -> tuple[str, GrantSummary]:
    """A code that lets whoever holds it read the matter for a while; it is shown this once, only a digest is kept.

    Args:
        given_to: whom it is for, for the log.
        life: at most 90 days.

    Raises:
        Refused: `matter.not_found`, `matter.grants_full`; what people's `must` raises.
        Invalid: `matter.given_to_missing`, `matter.life_wrong`, `evidence.text_too_long`, `evidence.text_control`.
    """
    by.must("deposit")
    if not given_to.strip():
        raise Invalid("matter.given_to_missing")
    if not timedelta(0) < life <= LONGEST_GRANT:
        raise Invalid("matter.life_wrong", days=LONGEST_GRANT.days)
    named, why = text("given_to", given_to, 200), text("purpose", purpose, 300)
    with changing(matter_id, by) as row:
        if row.grants.count() >= MAX_GRANTS:
            raise Refused("matter.grants_full", limit=MAX_GRANTS)
        selector, secret = _free_selector(), _letters(SECRET)
        made = Grant.objects.create(
            matter=row,
            selector=selector,
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            given_to=named,
            purpose=why,
            made_by=by.user_id,
            made_at=at,
            expires_at=at + life,
        )
        facts: dict[str, Fact] = {"grant": str(made.pk), "given_to": named, "hours": int(life.total_seconds() // 3600)}
        record(row, "access.granted", who=who_is(by), at=at, facts=facts)
        return _shown_code(selector + secret), grant_summary(made, at)


def revoke_grant(grant_id: UUID, *, by: Actor, at: datetime) -> None:
    """Take an access code back; it opens nothing from now on.

    Raises:
        Refused: `matter.grant_not_found`; what people's `must` raises.
    """
    by.must("deposit")
    found = Grant.objects.filter(pk=grant_id, matter__organisation=by.organisation_id, revoked_at=None).first()
    if found is None:
        raise Refused("matter.grant_not_found")
    with changing(found.matter_id, by) as row:
        if not Grant.objects.filter(pk=grant_id, revoked_at=None).update(revoked_at=at):
            raise Refused("matter.grant_not_found")
        record(row, "access.revoked", who=who_is(by), at=at, facts={"grant": str(grant_id)})


def use_grant(code: str, *, name: str, address: str, at: datetime) -> Guest:
    """Open a matter with an access code. Every use is logged; who guesses is locked out.

    After 10 wrong codes in 15 minutes nothing from that address is looked at; a code whose first characters are right
    and whose rest was wrong 10 times is locked for good. Spaces, hyphens and small letters do not matter.

    Args:
        name: how the visitor calls themselves.
        address: where the request is from.

    Raises:
        Refused: `matter.code_unknown` for a wrong, revoked or locked one; `matter.code_expired`;
            `matter.code_too_fast`.
    """
    visitor = _visitor(address)
    span = WrongCode.objects.filter(address=visitor, at__gt=at - WRONG_SPAN)
    if span.count() >= WRONG_LIMIT:
        raise Refused("matter.code_too_fast", minutes=int(WRONG_SPAN.total_seconds() // 60))
    row = _grant_of(code, at)
    if row is None:
        WrongCode.objects.create(address=visitor, at=at)
        raise Refused("matter.code_unknown")
    state = grant_state(row, at)
    if state != "valid" or row.matter.deleted_at is not None:
        _log_use(row, "refused", state, _guest(row, name, address), at)
        if state == "expired":
            raise Refused("matter.code_expired")
        WrongCode.objects.create(address=visitor, at=at)
        raise Refused("matter.code_unknown")
    guest = _guest(row, name, address)
    with changing(row.matter_id, None) as matter:
        _log_use(row, "opened", "", guest, at)
        record(matter, "access.used", who=who_is(guest), at=at, facts={"given_to": row.given_to})
    return guest


def guest_of(grant_id: UUID, *, name: str, address: str, at: datetime) -> Guest:
    """The guest of a code that was opened before, if the code is still valid: call it for every request.

    Raises:
        Refused: `matter.code_expired`, `matter.code_unknown`.
    """
    row = Grant.objects.filter(pk=grant_id).select_related("matter").first()
    state = "revoked" if row is None or row.matter.deleted_at is not None else grant_state(row, at)
    if row is None or state in ("revoked", "locked"):
        raise Refused("matter.code_unknown")
    if state == "expired":
        raise Refused("matter.code_expired")
    return _guest(row, name, address)


def log_use(guest: Guest, action: str, detail: str, *, at: datetime) -> None:
    """Note what a guest read: call it before the bytes go out.

    Args:
        action: `matter`, `file`, `bundle`, `custody`.
        detail: which one, its short number or name.
    """
    row = Grant.objects.get(pk=guest.grant_id)
    _log_use(row, action, detail, guest, at)
    if action in ("file", "bundle"):
        with changing(guest.matter_id, None) as matter:
            record(matter, "access.read", who=who_is(guest), at=at, facts={"what": action, "which": detail[:200]})


def redact(
    file_id: UUID, *, upload: UUID, reason: str, court_key: bytes | None = None, by: Actor, at: datetime
) -> None:
    """Show something else in a file's place to everybody but the court: the original stays, its digest is told.

    Args:
        upload: what is shown instead; deposited and kept.
        court_key: X25519 public key (32 bytes) to which bundles seal the original for the court.

    Raises:
        Refused: `matter.file_not_found`, `matter.closed_conflict`, `matter.redacted_conflict`; what `deposit` answers;
            what people's `must` raises.
        Invalid: `matter.reason_missing`, `matter.key_malformed`, `evidence.text_too_long`.
    """
    by.must("deposit")
    said = reasoned(reason)
    if court_key is not None and len(court_key) != 32:
        raise Invalid("matter.key_malformed")
    found = (
        ItemFile.objects.filter(pk=file_id, item__matter__organisation=by.organisation_id, item__removed_at=None)
        .select_related("item")
        .first()
    )
    if found is None:
        raise Refused("matter.file_not_found")
    [made] = _deposits((NewFile(upload=upload),), Both(zh=found.name, en=found.name), by, at, "page")
    with changing(found.item.matter_id, by) as row:
        must_be_open(row)
        if found.redactions.filter(undone_at=None).exists():
            raise Refused("matter.redacted_conflict")
        Redaction.objects.create(
            file=found,
            reason=said,
            media_type=made.media_type,
            size=made.size or 0,
            sha256=made.sha256,
            deposit=made,
            court_key=court_key,
            made_by=by.user_id,
            made_at=at,
        )
        facts: dict[str, Fact] = {
            "name": found.name,
            "reason": said,
            "original_sha256": bytes(found.sha256).hex(),
            "shown_sha256": bytes(made.sha256 or b"").hex(),
        }
        record(row, "file.redacted", who=who_is(by), at=at, item=str(found.item), facts=facts)


def undo_redaction(file_id: UUID, *, by: Actor, at: datetime) -> None:
    """Show the original again.

    Raises:
        Refused: `matter.file_not_found`, `matter.closed_conflict`; what people's `must` raises.
    """
    by.must("deposit")
    found = (
        ItemFile.objects.filter(pk=file_id, item__matter__organisation=by.organisation_id)
        .select_related("item")
        .first()
    )
    if found is None:
        raise Refused("matter.file_not_found")
    with changing(found.item.matter_id, by) as row:
        must_be_open(row)
        if not found.redactions.filter(undone_at=None).update(undone_at=at):
            raise Refused("matter.file_not_found")
        record(row, "file.unredacted", who=who_is(by), at=at, item=str(found.item), facts={"name": found.name})


# What other actions of this room share.


def titled(title: Both) -> Both:
    """A title in both languages, each standing in for the other.

    Raises:
        Invalid: `matter.title_missing`, `evidence.text_too_long`, `evidence.text_control`.
    """
    filled = Both(zh=title.zh.strip(), en=title.en.strip()).filled
    if not filled:
        raise Invalid("matter.title_missing")
    return Both(zh=text("title_zh", filled.zh, MAX_TEXT), en=text("title_en", filled.en, MAX_TEXT))


def purposed(purpose: Both) -> Both:
    """A purpose of proof in both languages; it may be empty."""
    filled = Both(zh=purpose.zh.strip(), en=purpose.en.strip()).filled
    return Both(zh=text("purpose_zh", filled.zh, MAX_PURPOSE), en=text("purpose_en", filled.en, MAX_PURPOSE))


def reasoned(reason: str) -> str:
    """A reason somebody gave.

    Raises:
        Invalid: `matter.reason_missing`, `evidence.text_too_long`, `evidence.text_control`.
    """
    if not reason.strip():
        raise Invalid("matter.reason_missing")
    return text("reason", reason.strip(), 300)


def checked_item(new: NewItem) -> tuple[Both, Both, dict[str, str]]:
    """Title, purpose and source of an item, judged."""
    if new.kind not in KINDS or new.kind == "capture":
        raise Invalid("matter.kind_unknown", kind=new.kind[:40], kinds=[kind for kind in KINDS if kind != "capture"])
    if new.role not in ROLES:
        raise Invalid("matter.role_unknown", role=new.role[:40], roles=list(ROLES))
    if not 0 < len(new.files) <= MAX_FILES:
        raise Invalid("matter.files_missing", limit=MAX_FILES)
    for place, each in enumerate(new.files):
        one = (each.upload is None) != (each.deposit is None)
        before = each.derived_from is None or 0 <= each.derived_from < place
        if not one or not before or re.fullmatch("[a-z][a-z_]{0,23}", each.role) is None:
            raise Invalid("matter.file_malformed", place=place + 1)
    if len(new.source) > MAX_SOURCE or not all(_SOURCE_NAME.fullmatch(name) for name in new.source):
        raise Invalid("matter.source_malformed", limit=MAX_SOURCE)
    source = {name: text(name, value, MAX_PURPOSE) for name, value in new.source.items() if value}
    return titled(new.title), purposed(new.purpose), source


def must_be_open(row: Matter) -> None:
    """Nothing goes into a closed matter.

    Raises:
        Refused: `matter.closed_conflict`.
    """
    if row.closed_at is not None:
        raise Refused("matter.closed_conflict", number=row.number)


def must_not_be_held(row: Matter) -> None:
    """Nothing goes out of a matter under legal hold.

    Raises:
        Refused: `matter.held_conflict`.
    """
    if Hold.objects.filter(matter=row, lifted_at=None).exists():
        raise Refused("matter.held_conflict", number=row.number)


def next_ordinal(row: Matter) -> int:
    """The number of the matter's next item; numbers of removed items are not given again.

    Raises:
        Refused: `matter.items_full`.
    """
    last = Item.objects.filter(matter=row).aggregate(last=Max("ordinal"))["last"] or 0
    if last >= MAX_ITEMS:
        raise Refused("matter.items_full", limit=MAX_ITEMS)
    return last + 1


def bundle_names(names: Sequence[str]) -> list[str]:
    """Names that every file system and archive takes, one for each, no two alike in any case of letters."""
    taken: set[str] = set()
    made = []
    for place, name in enumerate(names, 1):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = _NAME.sub("_", plain).strip("._-")[-MAX_NAME:].lstrip("._-") or f"file-{place}"
        if "." not in plain and (ending := name.rpartition(".")[2]).isascii() and ending.isalnum() and "." in name:
            plain = f"file-{place}.{ending[:8]}"
        chosen = plain if plain.lower() not in taken else f"{place}-{plain}"
        taken.add(chosen.lower())
        made.append(chosen)
    return made


def _deposits(files: Sequence[NewFile], title: Both, by: Actor, at: datetime, door: Source) -> list[Deposit]:
    """Each file's deposit, whose bytes the platform keeps."""
    coming = Upload.objects.filter(pk__in=[each.upload for each in files if each.upload])
    uploads = {row.pk: row for row in coming.filter(organisation=by.organisation_id)}
    drafts = [
        NewDeposit(
            kind="evidence",
            upload=each.upload,
            title=title.en,
            file_name=uploads[each.upload].file_name if each.upload in uploads else "",
            media_type=media_type(uploads[each.upload].media_type) if each.upload in uploads else "",
            source=door,
        )
        for each in files
        if each.upload is not None
    ]
    answers = iter(deposit(drafts, by=by, at=at) if drafts else ())
    found: list[Deposit] = []
    for each in files:
        if each.upload is not None:
            made = next(answers)
            if isinstance(made, PlatformError):
                raise made
            wanted = made.id
        else:
            wanted = each.deposit  # type: ignore[assignment]  # `checked_item`: the one or the other
        row = Deposit.objects.filter(pk=wanted, organisation=by.organisation_id).first()
        if row is None:
            raise Refused("evidence.deposit_not_found")
        if not row.kept or row.sha256 is None:
            raise Refused("matter.file_not_kept", number=row.number)
        found.append(row)
    return found


def _photo(row: Deposit) -> dict[str, str]:
    """What a photograph says of itself."""
    if not row.media_type.startswith("image/") or row.sha256 is None:
        return {}
    path = wiring.blobs().path(bytes(row.sha256))
    if not path.is_file():
        raise Unavailable("evidence.blob_missing", digest=bytes(row.sha256).hex())
    with path.open("rb") as stream:
        return photo_facts(stream.read(HEAD))


def _letters(count: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(count))


def _free_selector() -> str:
    """Characters that no other code begins with."""
    for _ in range(20):
        chosen = _letters(SELECTOR)
        if not Grant.objects.filter(selector=chosen).exists():
            return chosen
    raise Unavailable("evidence.busy")


def _shown_code(code: str) -> str:
    """`K7QF3-M9PXW-2D8TN-4VZAB`."""
    return "-".join(code[at : at + 5] for at in range(0, len(code), 5))


def _grant_of(code: str, at: datetime) -> Grant | None:
    """The grant of a right code; wrong secrets are counted, and lock it at last."""
    plain = code[:100].upper().translate(_READ_AS)
    if len(plain) != SELECTOR + SECRET or not set(plain) <= set(LETTERS):
        return None
    row = Grant.objects.filter(selector=plain[:SELECTOR]).select_related("matter").first()
    if row is None:
        return None
    shown = hashlib.sha256(plain[SELECTOR:].encode()).digest()
    if hmac.compare_digest(shown, bytes(row.secret_hash)):
        return row
    with transaction.atomic():
        again = Grant.objects.select_for_update().get(pk=row.pk)
        again.wrong += 1
        if again.wrong >= WRONG_LIMIT and again.locked_at is None:
            again.locked_at = at
        again.save(update_fields=("wrong", "locked_at"))
    return None


def _guest(row: Grant, name: str, address: str) -> Guest:
    shown = "".join(each for each in name if each.isprintable())[:120]
    return Guest(grant_id=row.pk, matter_id=row.matter_id, name=shown, address=address[:64], expires_at=row.expires_at)


def _log_use(row: Grant, action: str, detail: str, guest: Guest, at: datetime) -> None:
    GrantUse.objects.create(
        grant=row, at=at, action=action[:32], detail=detail[:200], name=guest.name, address=guest.address
    )


def _visitor(address: str) -> bytes:
    """An address as it is counted, of IPv6 its network of 64 bits; not kept in the clear longer than it is needed."""
    try:
        counted = str(ip_network((address, 64 if ":" in address else 32), strict=False))
    except ValueError:
        counted = address
    return hmac.digest(str(settings.SECRET_KEY).encode(), counted.encode(), "sha256")
