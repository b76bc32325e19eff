"""Score card: learn weights, steps and the threshold of automatic measures of what persons decided.

    learn_card(by=..., at=..., needed=990)     the organisation's card from now on
    forget_card(by=...)                        back to the one that ships

Nothing learns by itself: a person who may manage rules asks for it, and sees what it comes to. A learned threshold only
adds to what two keys ask for; it makes nothing automatic that was not.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from chopmark.base.errors import Invalid
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch import score
from chopmark.watch.actions.common import state_on_ledger
from chopmark.watch.actions.judging import card_path, learned_of
from chopmark.watch.engine.manifest import write_whole
from chopmark.watch.queries.labels import samples_of
from chopmark.watch.score import Learned

MOST: Final = 100_000
"""Decided hits that are learned of, the newest."""
LEAST_NEEDED, MOST_NEEDED = 500, 999


@evidence_wiring.answering()
def learn_card(*, by: Actor, at: datetime, needed: int = 990) -> Learned:
    """Learn the card of the organisation anew, from the one that ships; its digest is on the ledger first.

    Args:
        needed: thousandths of precision; 990 is a budget of ten false measures in a thousand.

    Raises:
        Refused: `watch.card_labels_few`; what people's `must` raises; what evidence's `deposit` raises.
        Invalid: `watch.card_needed`.
    """
    by.must("manage_rules")
    if not LEAST_NEEDED <= needed <= MOST_NEEDED:
        raise Invalid("watch.card_needed", least=LEAST_NEEDED, most=MOST_NEEDED)
    learned = score.learn(score.default_card(), *samples_of(by.organisation_id, most=MOST), needed=needed)
    data = learned.encode()
    name = hashlib.sha256(data).hexdigest()[:12]
    state_on_ledger([(f"card {name}", f"card-{name}.json", data)], by.organisation_id, by=by, at=at)
    write_whole(card_path(by.organisation_id), data)
    return learned


def forget_card(*, by: Actor) -> None:
    """Use the card that ships again.

    Raises:
        Refused: what people's `must` raises.
    """
    by.must("manage_rules")
    card_path(by.organisation_id).unlink(missing_ok=True)


def card_of(actor: Actor) -> Learned | None:
    """What the organisation has learned; None where the card that ships is in use.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view_hits")
    return learned_of(actor.organisation_id)
