"""Print the certificate of a deposit, with the platform's seal.

It says what the deposit's receipt proves at that moment by the policy that judges it; nothing is stored. The seal is
put on by what `CHOPMARK_PDF_SEAL` names, since time-stamp authorities are reached from the site.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from chopmark.evidence import queries, stamps, wiring
from chopmark.evidence.certificate import deposit_certificate, deposit_facts
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.people.actor import Actor


def certificate(deposit_id: UUID, *, by: Actor, at: datetime) -> bytes:
    """The certificate of a published deposit: PDF/A-4f with a PAdES signature.

    Raises:
        Unavailable: `evidence.not_published`, `evidence.not_cosigned`; what the seal's time-stamp authority raises.
        Refused: `certificate.unproven`, `certificate.digest_hidden`; `evidence.deposit_not_found`; what the seal and
            people's `must` raise.
    """
    one = queries.deposit_of(by, deposit_id)
    receipt = queries.receipt_for(by, deposit_id)
    size = Checkpoint.parse(Note.parse(receipt.checkpoint).text).size
    facts = deposit_facts(
        receipt,
        number=one.number,
        operator=wiring.origin(),
        verify_at=f"{wiring.base_url()}/verify",
        policy=Policy.parse(wiring.policy_at(size)),
        authorities=stamps.authorities(),
        at=at,
    )
    sealed: bytes = import_string(settings.CHOPMARK_PDF_SEAL)(deposit_certificate(facts))
    return sealed
