"""Everything that changes what this room knows, one verb a file; pages, API, commands and jobs call only these."""

from chopmark.cases.actions.carry import carry
from chopmark.cases.actions.desk import adopt_desk, retire_desk
from chopmark.cases.actions.filing import (
    Preview,
    check_filing,
    discard_filing,
    draft_filing,
    enter_receipt,
    export_package,
    preview_filing,
    save_step,
    submit_filing,
    withdraw_filing,
)
from chopmark.cases.actions.order import (
    check_order,
    discard_order,
    order_notarisation,
    place_order,
    preview_order,
    save_order,
    withdraw_order,
)
from chopmark.cases.actions.receive import receive_event

__all__ = [
    "Preview",
    "adopt_desk",
    "carry",
    "check_filing",
    "check_order",
    "discard_filing",
    "discard_order",
    "draft_filing",
    "enter_receipt",
    "export_package",
    "order_notarisation",
    "place_order",
    "preview_filing",
    "preview_order",
    "receive_event",
    "retire_desk",
    "save_order",
    "save_step",
    "submit_filing",
    "withdraw_filing",
    "withdraw_order",
]
