"""Register a statement that a depositor has signed and sent as it is (SCRAPI).

The signature is the permission: the key must be one that an organisation registered and has not retired, and the
statement must name that organisation as its issuer. Nothing is known of the file but what the statement says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions.deposit import EMPTY, TRIES, number_of, take_serials
from chopmark.evidence.deposit import CLOCK_AHEAD, KINDS, SIGNED_BEFORE, TEXTS, leaves_of, names_nobody
from chopmark.evidence.models import Deposit
from chopmark.ledger.statement import PublicKey, Statement, search_keys
from chopmark.ledger.stores import Entry
from chopmark.people.queries import issuer_key

KIND = "document"  # of a statement that does not say


@wiring.answering()
def register_statement(raw: bytes, *, at: datetime) -> bytes:
    """Put the statement on the ledger; its leaf hash. Registering it again changes nothing.

    Under ES256 the same statement with the signature's twin is the same statement: the leaf hash is the first one's.

    Raises:
        Invalid: as `Statement.parse` and `Statement.verify`; `evidence.statement_rejected` with the field that the
            registration policy does not allow; `evidence.empty_file`.
        Refused: `people.issuer_key_not_found`, `evidence.key_retired`.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`.
    """
    statement = Statement.parse(raw)
    leaves = leaves_of(statement)
    for _ in range(TRIES):
        known = Deposit.objects.filter(leaf__in=leaves).values_list("leaf", flat=True).first()
        if known is not None:
            return bytes(known)
        organisation_id, cose_key = _signer(statement)
        _must_follow_policy(statement, organisation_id, at)
        try:
            _write(statement, leaves, organisation_id, cose_key, at)
        except IntegrityError:  # another call has just registered it
            continue
        return leaves[0]
    raise Unavailable("evidence.busy")


def _signer(statement: Statement) -> tuple[UUID, bytes]:
    """The organisation that the statement names as its issuer, and its registered key that made the signature."""
    prefix, _, name = statement.claim.issuer.rpartition("/")
    try:
        named = UUID(name)
    except ValueError as error:
        raise Invalid("evidence.statement_rejected", field="iss") from error
    if statement.claim.issuer != wiring.issuer_of(named) or not prefix:
        raise Invalid("evidence.statement_rejected", field="iss")
    organisation_id, cose_key, state = issuer_key(statement.kid, named)
    if state != "active":
        raise Refused("evidence.key_retired", kid=statement.kid.hex())
    statement.verify(PublicKey.from_cose(cose_key))
    return organisation_id, cose_key


def _must_follow_policy(statement: Statement, organisation_id: UUID, at: datetime) -> None:
    claim = statement.claim
    if claim.issuer != wiring.issuer_of(organisation_id):
        raise Invalid("evidence.statement_rejected", field="iss")
    if claim.issued_at is None or not at - SIGNED_BEFORE <= claim.issued_at <= at + CLOCK_AHEAD:
        raise Invalid("evidence.statement_rejected", field="iat")
    if claim.policy is not None and claim.policy != wiring.policy_id():
        raise Invalid("evidence.statement_rejected", field="policy")
    if not names_nobody(claim.subject):
        raise Invalid("evidence.statement_rejected", field="sub")
    if not {*TEXTS, "size"}.issuperset(claim.commitments):
        raise Invalid("evidence.statement_rejected", field="commitments")
    if not claim.private and claim.payload == EMPTY:
        raise Invalid("evidence.empty_file")
    if claim.agent:
        raise Invalid("evidence.statement_rejected", field="agent")
    if claim.kind is not None and claim.kind not in KINDS:
        raise Invalid("evidence.statement_rejected", field="kind")


def _write(statement: Statement, leaves: Sequence[bytes], organisation_id: UUID, cose_key: bytes, at: datetime) -> None:
    claim, leaf = statement.claim, leaves[0]
    with transaction.atomic():
        serial = take_serials(1)
        Deposit.objects.create(
            id=uuid4(),
            serial=serial,
            number=number_of(serial, at),
            organisation=organisation_id,
            source="scrapi",
            kind=claim.kind or KIND,
            media_type=claim.content_type if isinstance(claim.content_type, str) and not claim.private else "",
            private=claim.private,
            sha256=None if claim.private else claim.payload,
            sm3=claim.sm3,
            fingerprint=min(leaves),
            leaf=leaf,
            statement=statement.raw,
            disclosures=cbor.encode([]),
            issuer_key=cose_key,
            agent=False,
            made_at=at,
        )
        entry = Entry(leaf=leaf, statement=statement.raw, search_keys=search_keys(statement))
        wiring.book().enqueue([entry], at)
