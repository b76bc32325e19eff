from __future__ import annotations

import re

import pytest
from world.desks import ORDER, carried

from chopmark.base.errors import Invalid, Refused
from chopmark.cases import actions, queries
from chopmark.cases.actions import carry
from chopmark.evidence import matters


def ordered(world, person, bundled):
    matter, bundle = bundled
    made = actions.order_notarisation(
        matter.id, bundle.id, "notary-office", by=person.actor, at=world.now(), data=ORDER
    )
    shown = actions.preview_order(made.id, by=person.actor, at=world.now())
    return actions.place_order(made.id, by=person.actor, at=world.now(), shown=shown.sha256)


def decided(notary, token, **form):
    browser = notary.clerk()
    page = browser.get(f"/cases/{token}").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    answer = browser.post(f"/cases/{token}", data={"csrf": csrf, **form})
    assert answer.status_code == 303, answer.text


def test_a_notarys_signature_comes_back_and_joins_the_bundle(world, mei, notary, bundled):
    _, bundle = bundled
    order = ordered(world, mei, bundled)
    sent = notary.office
    assert order.state == "sending"
    carried(world)
    notary.turn(world.now())
    message = sent.case(order.id).message
    assert message.declaration.previewed_at < message.declaration.agreed_at
    decided(notary, order.id, step="issued", reasons="核验无误")
    notary.turn(world.now())
    found = queries.order_of(mei.actor, order.id)
    assert (found.state, [each.kind for each in found.events]) == ("issued", ["received", "issued"])
    carried(world)
    found = queries.order_of(mei.actor, order.id)
    assert found.state == "joined", found.deliveries
    assert re.fullmatch(r"\(\d{4}\)模拟证字第000001号", found.notary_number)
    joined = matters.bundle_of(mei.actor, found.signed_bundle_id)
    assert (joined.signatures, joined.signed_from) == (2, bundle.number)
    assert joined.file_name == f"{bundle.number}.asice"  # as its README.txt calls it


def test_a_notary_refuses_with_reasons_and_without_reasons_not(world, mei, notary, bundled):
    order = ordered(world, mei, bundled)
    carried(world)
    notary.turn(world.now())
    browser = notary.clerk()
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get(f"/cases/{order.id}").text)[1]
    empty = browser.post(f"/cases/{order.id}", data={"csrf": csrf, "step": "refused", "reasons": " "})
    assert (empty.status_code, "Write the reasons" in empty.text) == (422, True)
    decided(notary, order.id, step="refused", reasons="申请人材料不足")
    notary.turn(world.now())
    found = queries.order_of(mei.actor, order.id)
    assert (found.state, found.events[-1].reasons) == ("refused", ("申请人材料不足",))


def test_what_comes_back_must_be_our_bundle_and_nothing_else(world, mei, notary, bundled, tmp_path):
    _, bundle = bundled
    path, _ = matters.bundle_file(mei.actor, bundle.id)
    with path.open("rb") as own, path.open("rb") as same, pytest.raises(Invalid, match=r"cases\.signed_bundle_wrong"):
        carry_module().must_only_add(own, same, "notary-office")
    with path.open("rb") as unsigned, pytest.raises(Invalid, match=r"cases\.signed_bundle_wrong"):
        carry_module().must_be_signed_by(unsigned, notary.home.card(), world.now())


def carry_module():
    import sys  # noqa: PLC0415 (the package shows the function under this name)

    return sys.modules[carry.__module__]


def test_an_order_needs_a_notary_the_applicants_papers_and_a_right_to_order(world, mei, notary, bundled):
    matter, bundle = bundled
    viewer = world.person("A viewer", role="viewer", of=mei)
    stranger = world.person("Wu Di")
    with pytest.raises(Refused, match=r"cases\.desk_not_found"):
        actions.order_notarisation(matter.id, bundle.id, "nobody", by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        actions.order_notarisation(matter.id, bundle.id, "notary-office", by=viewer.actor, at=world.now())
    with pytest.raises(Refused, match=r"matter\.bundle_not_found"):
        actions.order_notarisation(matter.id, bundle.id, "notary-office", by=stranger.actor, at=world.now())
    made = actions.order_notarisation(matter.id, bundle.id, "notary-office", by=mei.actor, at=world.now())
    missing = {gap.code for gap in actions.check_order(made.id, by=mei.actor).gaps}
    assert {"cases.gap_order_documents", "cases.gap_declared", "cases.gap_party_name"} <= missing
    with pytest.raises(Refused, match=r"cases\.incomplete"):
        actions.preview_order(made.id, by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"cases\.order_not_found"):
        queries.order_of(stranger.actor, made.id)
    actions.discard_order(made.id, by=mei.actor)
    assert queries.orders_of(mei.actor) == ()
