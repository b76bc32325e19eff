"""Everything that changes what this room knows, one verb a file; pages, API, commands and jobs call only these."""

from chopmark.evidence.actions.deposit import MAX_BATCH, NewDeposit, Source, deposit
from chopmark.evidence.actions.force import published_decisions, take_force
from chopmark.evidence.actions.genesis import genesis, restate
from chopmark.evidence.actions.govern import (
    Decided,
    adopt_authority,
    adopt_cards,
    decide_policy,
    exchange_card,
    retire_member,
    rotate_log_keys,
    state_log_keys,
)
from chopmark.evidence.actions.register_statement import register_statement
from chopmark.evidence.actions.remember import Remembered, forget, recall, remember
from chopmark.evidence.actions.restore import adopt_log
from chopmark.evidence.actions.settle import settle
from chopmark.evidence.actions.share import share, unshare
from chopmark.evidence.actions.signer import register_key, retire_key, state_keys
from chopmark.evidence.actions.stamp import Worked, plan_stamps, stamp_newest, work_on_stamps
from chopmark.evidence.actions.sweep import sweep
from chopmark.evidence.actions.upload import (
    Checksum,
    append_upload,
    discard_upload,
    finish_upload,
    start_upload,
)

__all__ = [
    "MAX_BATCH",
    "Checksum",
    "Decided",
    "NewDeposit",
    "Remembered",
    "Source",
    "Worked",
    "adopt_authority",
    "adopt_cards",
    "adopt_log",
    "append_upload",
    "decide_policy",
    "deposit",
    "discard_upload",
    "exchange_card",
    "finish_upload",
    "forget",
    "genesis",
    "plan_stamps",
    "published_decisions",
    "recall",
    "register_key",
    "register_statement",
    "remember",
    "restate",
    "retire_key",
    "retire_member",
    "rotate_log_keys",
    "settle",
    "share",
    "stamp_newest",
    "start_upload",
    "state_keys",
    "state_log_keys",
    "sweep",
    "take_force",
    "unshare",
    "work_on_stamps",
]
