"""Rows that are written all at once are those that the framework writes one by one."""

from __future__ import annotations

import hashlib

from world.market import BEFORE, raw

from chopmark.watch.actions import push
from chopmark.watch.actions.bulk import insert
from chopmark.watch.actions.feed import _LISTING, _NEWER
from chopmark.watch.listing import clean, decode, encode
from chopmark.watch.models import Inbox, ListingRow, Marketplace

TITLES = ["plain", "", 'it\'s "quoted" %s {x} \\ $1', "耐克 نايك 👟", "a\tb", "NULL", "{1,2}", "\u200bx"]


def test_what_a_push_writes_is_what_one_row_after_another_would_be(market):
    row = Marketplace.objects.get()
    listings = [clean(raw(str(at), title=title), marketplace="demo") for at, title in enumerate(TITLES)]
    push.take_in(row, listings, at=market.world.at)
    written = list(Inbox.objects.order_by("pk").values())
    Inbox.objects.all().delete()
    for each in listings:
        body = encode(each)
        Inbox(
            marketplace=row,
            item=each.item,
            version=each.version,
            body=body,
            sha256=hashlib.sha256(body).digest(),
            came_at=market.world.at,
            next_try=market.world.at,
        ).save()
    naive = list(Inbox.objects.order_by("pk").values())
    plain = [
        [{**each, "id": 0, "body": bytes(each["body"]), "sha256": bytes(each["sha256"])} for each in rows]
        for rows in (written, naive)
    ]
    assert plain[0] == plain[1]
    assert [decode(each["body"], sha256=each["sha256"]).title for each in plain[0]] == [each.title for each in listings]


def test_a_version_that_is_overtaken_changes_nothing_whoever_writes_last(market):
    row = Marketplace.objects.get()

    def write(version):
        values = (row.pk, "1", version, "s", f"v{version}", b"{}", b"\0" * 32, BEFORE, BEFORE, "", "none", False, 0)
        insert("watch_listingrow", _LISTING, [values], conflict=_NEWER)

    for version in (2, 1, 3, 3):
        write(version)
    found = ListingRow.objects.get()
    assert (found.version, found.title, found.glanced, found.came_at) == (3, "v3", False, BEFORE)
    insert("watch_listingrow", _LISTING, [], conflict=_NEWER)


def test_bytes_with_a_right_digest_are_believed_and_others_are_read_strictly(market):
    listing = clean(raw(), marketplace="demo")
    body = encode(listing)
    assert (
        decode(body, sha256=hashlib.sha256(body).digest()) == decode(body, sha256=b"\0" * 32) == decode(body) == listing
    )
