"""Which institutions a trust policy counts, since when they suffice, and which of several policies judges.

A policy may name several keys of one institution, say one of Ed25519 and one of ML-DSA-44, in a group of which any
one counts. What people are told is the institution; what signs is the key.

Pure: takes a policy and the times that its witnesses state, and checks no signature.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from chopmark.ledger.policy import NO_QUORUM, Policy


def institutions(policy: Policy) -> dict[str, str]:
    """The institution of each witness.

    It is the group of which any one suffices and whose keys all bear one key name; a witness outside such a group
    stands for itself.
    """
    key_names = {witness.name: witness.key.name for witness in policy.witnesses}
    found = {name: name for name in key_names}
    for group in policy.groups:
        names = {key_names.get(member) for member in group.members}
        if group.threshold == 1 and len(names) == 1 and None not in names:
            found.update(dict.fromkeys(group.members, group.name))
    return found


def counted(policy: Policy) -> frozenset[str]:
    """The witnesses whose cosignatures the quorum counts."""
    groups = {group.name: group.members for group in policy.groups}
    found: set[str] = set()
    waiting = [] if policy.quorum == NO_QUORUM else [policy.quorum]
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting.extend(groups.get(name, ()))
    return frozenset(found - groups.keys())


def suffices(policy: Policy, witnesses: Collection[str]) -> bool:
    """Whether these witnesses are the quorum; nobody is, where the policy asks for none."""
    there = set(witnesses)
    for group in policy.groups:
        if sum(member in there for member in group.members) >= group.threshold:
            there.add(group.name)
    return policy.quorum == NO_QUORUM or policy.quorum in there


def reached_at(policy: Policy, times: Mapping[str, datetime]) -> datetime | None:
    """The smallest time t such that the witnesses with times up to t suffice; None when all of them do not.

    A group has cosigned at the k-th smallest of its members' times, k being its threshold.

    Args:
        policy: one that asks for a quorum.
        times: a time of each witness that cosigned and is to be counted.
    """
    known = dict(times)
    for group in policy.groups:
        stated = sorted(known[member] for member in group.members if member in known)
        if len(stated) >= group.threshold:
            known[group.name] = stated[group.threshold - 1]
    return known.get(policy.quorum)


def in_force(policies: Mapping[int, Policy], size: int | None) -> int | None:
    """Of one log's policies over time, the one that judges a receipt under a checkpoint of a size.

    It is the newest that had begun by then; but one without a quorum is passed over once a later one asks for one.
    Otherwise whoever has the log's keys alone could write a receipt "of the time before". Nobody honest loses by it:
    every entry can be proven under a later checkpoint, which the quorum has cosigned.

    Args:
        policies: by the size from which on each was in force.
        size: None when a receipt cannot be read; then the newest judges.

    Returns:
        Its key in `policies`; None when all of them began later and none asks for a quorum.
    """
    starts = sorted(policies)
    begun = [start for start in starts if size is None or start <= size]
    if begun and policies[begun[-1]].quorum != NO_QUORUM:
        return begun[-1]
    later = (start for start in starts[len(begun) :] if policies[start].quorum != NO_QUORUM)
    return next(later, begun[-1] if begun else None)


def least_size(policies: Mapping[int, Policy], size: int) -> int:
    """The least size of a checkpoint under which an entry may be proven that one of this size covers."""
    return max(size, in_force(policies, size) or 0)
