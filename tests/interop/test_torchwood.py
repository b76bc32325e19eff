"""Torchwood judges our receipts under our consortium's policy: for each choice of signers it finds what we find."""

from __future__ import annotations

from itertools import combinations

import pytest
from interop import foreign
from world.ledger import KEYS, LedgerWorld, statements
from world.members import NAMES, five

from chopmark.base import clock
from chopmark.ledger.governance import Rule, consortium_policy
from chopmark.ledger.keys import MLDSA44_COSIGNATURE
from chopmark.ledger.policy import Policy, PolicyGroup, policy_text
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.tiles import TileReader

pytestmark = pytest.mark.interop

MEMBERS = five()
COURTS = NAMES[:3]


def consortium() -> Policy:
    """The policy as the platform writes it, for any two of three courts and one of notary and customs."""
    rule = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
    return consortium_policy([key.verifier for key in KEYS], [MEMBERS[name].card for name in NAMES], rule)


def compact(policy: Policy) -> Policy:
    """The same without ML-DSA-44, which torchwood does not know."""
    kept = tuple(each for each in policy.witnesses if each.key.type != MLDSA44_COSIGNATURE)
    names = {each.name for each in policy.witnesses} - {each.name for each in kept}
    groups = tuple(
        PolicyGroup(
            name=each.name,
            threshold=each.threshold,
            members=tuple(member for member in each.members if member not in names),
        )
        for each in policy.groups
    )
    logs = tuple(each for each in policy.logs if each.key.type != MLDSA44_COSIGNATURE)
    return Policy(logs=logs, witnesses=kept, groups=groups, quorum=policy.quorum)


@pytest.fixture(scope="module")
def world() -> LedgerWorld:
    made = LedgerWorld(clock=clock.now)
    made.publish(*statements(700))
    return made


@pytest.mark.parametrize("signers", [each for count in range(6) for each in combinations(NAMES, count)], ids="+".join)
def test_it_and_we_agree_on_every_choice_of_signers(go, world, tmp_path, signers):
    note = world.objects.get("checkpoint")
    for name in signers:
        note = MEMBERS[name].cosigned(note, clock.now())
    tiles = TileReader(world.objects.get, 700)
    proof = TlogProof(index=321, hashes=tuple(tiles.inclusion_proof(321)), checkpoint=note)
    policy = compact(consortium())
    files = {"policy": policy_text(policy).encode(), "proof": proof.encode(), "entry": tiles.entry(321)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    code, said = foreign.call(go / "receipt", *(tmp_path / name for name in files))
    ours = policy.open(note)[1].accepted
    assert ours == consortium().open(note)[1].accepted
    assert ours == (len(set(signers) & set(COURTS)) >= 2 and bool(set(signers) - set(COURTS)))
    assert code == (0 if ours else 1), said
    (tmp_path / "entry").write_bytes(tiles.entry(322))
    assert foreign.call(go / "receipt", *(tmp_path / name for name in files))[0] == 1
