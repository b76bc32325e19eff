from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from world.bundles import Tokens, built
from world.jobs import TestStamper
from world.pages import PageWorld
from world.tsa import TsaWorld

from chopmark.base.errors import Unavailable
from chopmark.evidence import actions, custody, matters, wiring
from chopmark.evidence.actions import NewMatter
from chopmark.evidence.actions.bundle import adopt_signed_bundle, keep_bundle
from chopmark.evidence.actions.renew import renew_bundles
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.matters import Both
from chopmark.evidence.models import Bundle, Matter
from chopmark.ledger.tsa import Mark, Signer, make_root, make_signer

DAY = timedelta(days=1)
END = TsaWorld().certificate.not_valid_after_utc
RECORD = "META-INF/evidencerecord001.ers"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    made = PageWorld.made(settings.CHOPMARK_HOME)
    trusted = made.home / "tsa" / "trusted"
    trusted.mkdir(parents=True)
    (trusted / "time.test.pem").write_bytes(TsaWorld().root.public_bytes(Encoding.PEM))
    trust(made, END - 100 * DAY)
    return made


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def matter(world, mei):
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案", en="Fake lanterns"))
    return actions.open_matter(new, by=mei.actor, at=world.now())


@pytest.fixture
def bundle(world, mei, matter):
    return finished(world, mei, matter, built(stampers=[Tokens()])[1], 1)


def finished(world, mei, matter, data, number):
    """A bundle as the worker leaves it."""
    digests = keep_bundle(io.BytesIO(data))
    return Bundle.objects.create(
        number=f"B-2020-{number:06}",
        matter=Matter.objects.get(pk=matter.id),
        organisation=mei.actor.organisation_id,
        items=[],
        state="done",
        not_before=world.at,
        made_at=world.at,
        ended_at=world.at,
        sha256=digests.sha256,
        size=digests.size,
        signatures=1,
    )


@dataclass
class Authority:
    """What `TsaWorld` is, with a certificate of its own."""

    at: datetime
    since: datetime = END - 100 * DAY

    @property
    def signer(self):
        key, certificate, root = keys(self.since)
        mark = Mark(serial=0, time=self.at - DAY)
        return Signer(key=key, certificates=[certificate, root], mark=mark, keep=lambda _: None, clock=lambda: self.at)


@cache
def keys(since):
    root_key, root = make_root(f"time of {since:%Y}", since)
    return *make_signer(f"time of {since:%Y}", since, root_key=root_key, root=root), root


def trust(world, since):
    pem = keys(since)[2].public_bytes(Encoding.PEM)
    (world.home / "tsa" / "trusted" / f"of-{since:%Y}.pem").write_bytes(pem)


def stamper(at, *, since=END - 100 * DAY, **more):
    return TestStamper(tsa=Authority(at=at, since=since), **more)


def renew(at, **more):
    return renew_bundles([stamper(at)], lambda: at, **more)


def test_nothing_is_done_while_the_certificates_last(world, bundle):
    came = renew(END - 100 * DAY)
    assert (came.seen, came.due, came.made, came.troubles) == (1, (), (), ())
    assert Bundle.objects.count() == 1


def test_a_bundle_whose_certificate_ends_soon_gets_a_record_and_the_old_file_stays(world, mei, bundle):
    came = renew(END - 80 * DAY)
    assert came.due == (bundle.number,)
    [number] = came.made
    made = Bundle.objects.get(number=number)
    assert (made.signed_from, made.state, made.signatures) == (bundle, "done", 1)
    with wiring.bundles().path(bytes(made.sha256)).open("rb") as file:
        assert RECORD in Container(file).names
    assert wiring.bundles().holds(bytes(bundle.sha256))
    summary = matters.bundle_of(mei.actor, number)
    assert summary.signed_from == ""  # which would say that a notary signed it
    log = custody.read(matters.log_of(Matter.objects.get(pk=made.matter_id)))
    assert log[-1].action == "bundle.renewed"
    assert log[-1].facts["of"] == bundle.number


def test_the_next_renewal_starts_from_the_newer_file_and_renews_its_record_in_place(world, bundle):
    [first] = renew(END - 80 * DAY).made
    assert renew(END - 79 * DAY).due == ()
    until = keys(END - 100 * DAY)[1].not_valid_after_utc
    trust(world, until - 100 * DAY)
    at = until - 80 * DAY
    again = renew_bundles([stamper(at, since=until - 100 * DAY)], lambda: at)
    assert again.due == (first,)
    [second] = again.made
    with wiring.bundles().path(bytes(Bundle.objects.get(number=second).sha256)).open("rb") as file:
        assert [name for name in Container(file).names if name.endswith(".ers")] == [RECORD]


def test_an_authority_whose_certificate_ends_as_soon_renews_nothing_and_says_so(world, bundle):
    at = END - DAY
    same = TestStamper(tsa=TsaWorld(at=at, mark=Mark(serial=0, time=at - DAY)))
    came = renew_bundles([same], lambda: at)
    assert (came.due, came.made) == ((bundle.number,), ())
    assert came.troubles == ((bundle.number, "evidence.renewal_no_gain"),)


def test_looking_changes_nothing(world, bundle):
    came = renew(END - DAY, look_only=True)
    assert (came.due, came.made) == ((bundle.number,), ())
    assert Bundle.objects.count() == 1


def test_all_bundles_that_are_due_share_one_token(world, mei, matter, bundle):
    finished(world, mei, matter, built({"custody/process.jsonl": b"{}\n"}, stampers=[Tokens()])[1], 2)
    asked = []

    class Counting(TestStamper):
        __test__ = False

        def token(self, sha256):
            asked.append(sha256)
            return super().token(sha256)

    at = END - DAY
    came = renew_bundles([Counting(tsa=stamper(at).tsa)], lambda: at)
    assert (len(came.made), len(asked)) == (2, 1)


def test_an_independent_authority_is_asked_before_the_own_one_which_is_the_last_resort(world, bundle):
    class Silent:
        name, own = "silent", False

        def token(self, _sha256):
            raise Unavailable("ledger.anchor_silent", name="silent")

    at = END - DAY
    with pytest.raises(Unavailable, match=r"evidence\.renewal_unstamped"):
        renew_bundles([Silent()], lambda: at)
    assert renew_bundles([stamper(at, own=True), Silent()], lambda: at).made


def test_a_damaged_or_missing_file_is_told_and_does_not_stop_the_others(world, mei, matter, bundle):
    gone = finished(world, mei, matter, b"no bundle at all", 2)
    lost = finished(world, mei, matter, b"nor this", 3)
    wiring.bundles().path(bytes(lost.sha256)).unlink()
    came = renew(END - DAY)
    assert dict(came.troubles) == {gone.number: "bundle.zip_malformed", lost.number: "matter.file_gone"}
    assert came.due == (bundle.number,)
    assert len(came.made) == 1


def test_a_bundle_that_a_notary_signed_is_renewed_in_its_place(world, bundle):
    path = wiring.bundles().path(bytes(bundle.sha256))
    copy = built({"custody/process.jsonl": b"{}\n"}, stampers=[Tokens()])[1]
    signed = adopt_signed_bundle(bundle.pk, io.BytesIO(copy), signer="notary", at=world.now())
    assert path.is_file()
    assert renew(END - DAY).due == (signed.number,)
