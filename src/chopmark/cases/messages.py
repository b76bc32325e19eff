"""From a complete draft and its bundle to the message that a desk gets. Pure but for the rows it reads from."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chopmark import law
from chopmark.base.errors import Invalid, Refused
from chopmark.cases import checklist, draft
from chopmark.cases.models import Filing, Order
from chopmark.cases.papers import Offered
from chopmark.desk import codec, wire
from chopmark.evidence import wiring
from chopmark.evidence.bundle.manifest import Item
from chopmark.people.actor import Actor


def filing(
    row: Filing, offered: Offered, by: Actor, *, previewed_at: datetime, agreed_at: datetime, at: datetime, note: str
) -> wire.Filing:
    """The next revision of a filing.

    Raises:
        Invalid: `cases.draft_malformed` for a note that is no text; `desk.message_malformed`.
        Refused: what `law.fee` raises.
    """
    told = draft.stored(row.draft)
    profile = law.court(told.court.court)
    fee = law.fee(profile.code, told.court.cause, told.claims.amount_fen)
    forms = {line.id: line.form for line in told.evidence.lines}
    return wire.Filing(
        form="chopmark-filing-1",
        token=row.pk,
        revision=row.revision + 1,
        number=row.number,
        at=_second(at),
        origin=wiring.origin(),
        organisation=by.organisation_name,
        court=profile.code,
        profile=profile.version,
        cause=told.court.cause,
        template=_template(offered.template),
        parties=told.parties.parties,
        agents=told.parties.agents,
        claims=tuple(claim for claim in told.claims.claims if claim.text.strip()),
        amount_fen=told.claims.amount_fen,
        facts=told.claims.facts,
        elements=told.claims.elements,
        evidence=tuple(
            _line(item, forms.get(item.id, "original"), checklist.purpose_of(told, item))
            for item in checklist.used_items(told, offered.manifest)
        ),
        bundle=_bundle(offered),
        fee=wire.FeeLine(least_fen=fee.least_fen, most_fen=fee.most_fen, rule=fee.rule),
        delivery=told.confirm.delivery,
        mediation=told.claims.mediation,
        declaration=wire.Declaration(
            by=told.confirm.declared_by, previewed_at=_second(previewed_at), agreed_at=_second(agreed_at)
        ),
        note=_note(note),
    )


def order(
    row: Order, offered: Offered, by: Actor, *, previewed_at: datetime, agreed_at: datetime, at: datetime, note: str
) -> wire.Order:
    """The next revision of an order.

    Raises:
        Invalid: `cases.draft_malformed` for a note that is no text; `desk.message_malformed`.
    """
    told = draft.stored_order(row.draft)
    return wire.Order(
        form="chopmark-order-1",
        token=row.pk,
        revision=row.revision + 1,
        number=row.number,
        at=_second(at),
        origin=wiring.origin(),
        organisation=by.organisation_name,
        notary=row.desk_id,
        reason=told.reason,
        reason_text=told.reason_text,
        applicant=told.applicant,
        operator=told.declared_by,
        documents=told.documents,
        evidence=tuple(_line(item, "original", item.purpose.zh or item.purpose.en) for item in offered.manifest.items),
        bundle=_bundle(offered),
        declaration=wire.Declaration(
            by=told.declared_by, previewed_at=_second(previewed_at), agreed_at=_second(agreed_at)
        ),
        note=_note(note),
    )


def withdrawal(token: UUID, reason: str, at: datetime) -> wire.Withdrawal:
    """The message that takes a case back.

    Raises:
        Invalid: `cases.draft_malformed` for a reason that is no text.
    """
    return wire.Withdrawal(form="chopmark-withdrawal-1", token=token, at=_second(at), reason=_note(reason))


def _line(item: Item, form: wire.EvidenceForm, purpose: str) -> wire.EvidenceLine:
    return wire.EvidenceLine(
        id=item.id,
        kind=item.kind,
        title=item.title.zh or item.title.en,
        purpose=purpose,
        source="; ".join(f"{name}: {text}" for name, text in item.source.items())[: codec.MAX_TEXT],
        form=form,
        files=tuple(wire.FileLine(path=each.path, size=each.size, sha256=each.sha256) for each in item.files),
        deposits=tuple(wire.DepositLine(number=each.number, sha256=each.sha256) for each in item.deposits),
    )


def _bundle(offered: Offered) -> wire.BundleRef:
    return wire.BundleRef(number=offered.number, size=offered.size, sha256=offered.sha256)


def _template(name: str) -> str:
    try:
        return f"{name}/{law.template(name).version}" if name else ""
    except Refused:  # a matter of a template that there is no more
        return name


def _note(text: str) -> str:
    try:
        return codec.text(text.replace("\r\n", "\n").strip())
    except codec.Unfit as error:
        raise Invalid("cases.draft_malformed", reason="note") from error


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
