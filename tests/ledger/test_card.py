"""Members' cards: one form, keys only in their roles."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chopmark.base.errors import Invalid
from chopmark.ledger.card import MIRROR, NODE, WITNESS, Card, CardKey
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey


def _key(role: str, name: str, kind: int) -> CardKey:
    return CardKey(role=role, key=SigningKey.generate(name, kind).verifier)


def _card() -> Card:
    return Card(
        name="hangzhou",
        kind="court",
        zh="杭州互联网法院",
        en="Hangzhou Internet Court",
        url="http://127.0.0.1:8101",
        keys=(
            _key(WITNESS, "hangzhou.example/witness", ED25519_COSIGNATURE),
            _key(MIRROR, "hangzhou.example/mirror", ED25519_COSIGNATURE),
            _key(MIRROR, "hangzhou.example/mirror", MLDSA44_COSIGNATURE),
            _key(NODE, "hangzhou.example/node", ED25519),
        ),
    )


def test_a_card_reads_back_as_it_was_written():
    card = _card()
    assert Card.parse(card.encode()) == card
    assert card.mirrors
    assert card.cosigning_keys == (card.keys[1].key, card.keys[2].key)


def test_a_member_that_does_not_mirror_is_counted_by_its_witness_key():
    card = _card()
    alone = replace(card, keys=card.keys[:1])
    assert not alone.mirrors
    assert alone.cosigning_keys == (card.keys[0].key,)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d.update(name="Hangzhou"), id="a name in capitals"),
        pytest.param(lambda d: d.update(kind="bank"), id="an unknown kind"),
        pytest.param(lambda d: d.update(url="ftp://host"), id="an address of another scheme"),
        pytest.param(lambda d: d.update(url="http://host/"), id="an address with a slash at the end"),
        pytest.param(lambda d: d["title"].update(zh=" x"), id="a title with a space in front"),
        pytest.param(lambda d: d.update(keys=[]), id="no key"),
        pytest.param(lambda d: d.update(keys=d["keys"] + d["keys"][:1]), id="a key twice"),
        pytest.param(lambda d: d["keys"][0].update(role="node"), id="a cosignature key as a node's"),
        pytest.param(lambda d: d.update(more=1), id="a field too many"),
        pytest.param(lambda d: d.pop("url"), id="a field too few"),
    ],
)
def test_a_card_with_something_wrong_is_refused(change):
    document = json.loads(_card().encode())
    change(document)
    data = (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
    with pytest.raises(Invalid):
        Card.parse(data)


def test_the_same_card_in_another_spelling_is_refused():
    with pytest.raises(Invalid):
        Card.parse(json.dumps(json.loads(_card().encode())).encode())


def test_witness_and_mirror_may_not_share_a_name():
    card = _card()
    with pytest.raises(Invalid):
        replace(card, keys=(*card.keys, _key(WITNESS, "hangzhou.example/mirror", MLDSA44_COSIGNATURE)))
