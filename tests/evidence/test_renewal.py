import io
from datetime import timedelta

import pytest
from world.bundles import SOME, Scribble, Tokens, built
from world.tsa import AT, TsaWorld

from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.build import add_proofs, add_signature
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.evidence_record import EvidenceRecord
from chopmark.evidence.renewal import LEAD, extend, renewed, stand
from chopmark.ledger.cms import SHA256, SHA512
from chopmark.ledger.tsa import Order

DAY = timedelta(days=1)
END = TsaWorld().certificate.not_valid_after_utc
FIRST = "META-INF/evidencerecord001.ers"


class Stamp:
    """Stamps digests of any algorithm and counts them."""

    def __init__(self, at=AT):
        self.tsa, self.asked = TsaWorld(at=at), 0

    def __call__(self, digest):
        self.asked += 1
        algorithm = SHA256 if len(digest) == 32 else SHA512
        return self.tsa.signer.stamp(Order(algorithm=algorithm, imprint=digest, nonce=None, certificates=True))


def stands(bundle, at=AT, **more):
    return stand(io.BytesIO(bundle), [TsaWorld().authority], at, **more)


def renew(*bundles, at=AT, **more):
    standings, stamp = [stands(each, at, **more) for each in bundles], Stamp(at)
    made = []
    for bundle, standing, record in zip(bundles, standings, renewed(standings, stamp), strict=True):
        out = io.BytesIO()
        extend(io.BytesIO(bundle), out, standing, record)
        made.append(out.getvalue())
    return made, stamp


def record_in(bundle, name=FIRST):
    return EvidenceRecord.parse(Container(io.BytesIO(bundle)).read(name, 1 << 20))


@pytest.fixture(scope="module")
def bundle():
    return built(stampers=[Tokens()])[1]


def test_a_bundle_holds_until_the_certificate_of_its_time_stamps_ends(bundle):
    standing = stands(bundle)
    assert (standing.until, standing.number, standing.record, standing.algorithm) == (END, 1, None, SHA256)
    assert standing.until - AT > LEAD


def test_a_bundle_that_nobody_trusted_stamped_is_due_at_once():
    assert stands(built()[1]).until == AT
    assert stand(io.BytesIO(built(stampers=[Tokens()])[1]), [], AT).until == AT


def test_many_bundles_get_their_first_record_under_one_token(bundle):
    other = built({**SOME, "evidence/001-listing/page.html": b"<p>other</p>"}, stampers=[Tokens()])[1]
    made, stamp = renew(bundle, other)
    assert stamp.asked == 1
    for each in made:
        standing = stands(each)
        assert standing.record == record_in(each)
        assert (standing.until, standing.number) == (END, 1)
        names = [each.uri for each in standing.covered]
        assert {"manifest.json", "META-INF/signature001.p7s", "META-INF/timestamp001.tst"} <= set(names)
        assert FIRST not in names


def test_the_next_renewal_goes_into_the_same_record_and_nothing_else_changes(bundle):
    [once], _ = renew(bundle)
    [twice], stamp = renew(once, at=AT + DAY)
    assert stamp.asked == 1
    assert [len(chain) for chain in record_in(twice).chains] == [2]
    before, after = (Container(io.BytesIO(each)) for each in (once, twice))
    assert before.names == after.names
    changed = [name for name in before.names if before.read(name, 1 << 24) != after.read(name, 1 << 24)]
    assert changed == [FIRST]


def test_an_algorithm_near_its_end_is_left_for_another_with_all_files_hashed_anew(bundle):
    ends = {SHA256: AT + DAY}
    [once], _ = renew(bundle)
    standing = stands(once, ends=ends)
    assert (standing.until, standing.algorithm) == (AT + DAY, SHA512)
    [twice], _ = renew(once, at=AT + DAY / 2, ends=ends)
    assert record_in(twice).algorithms == (SHA256, SHA512)
    assert stands(twice, AT + DAY / 2, ends=ends).until == END
    [fresh], _ = renew(bundle, ends=ends)
    assert record_in(fresh).algorithms == (SHA512,)
    mixed, stamp = renew(bundle, once, twice, at=AT + DAY / 2, ends=ends)
    assert (len(mixed), stamp.asked) == (3, 3)


def test_after_a_notary_signed_another_record_covers_all_and_the_first_stays(bundle):
    [once], _ = renew(bundle)
    out = io.BytesIO()
    add_signature(io.BytesIO(once), out, Scribble(), [Tokens()])
    standing = stands(out.getvalue())
    assert (standing.number, standing.record) == (2, None)
    assert {FIRST, "META-INF/signature002.p7s"} <= {each.uri for each in standing.covered}
    [again], _ = renew(out.getvalue())
    assert record_in(again) == record_in(once)
    assert stands(again).record == record_in(again, "META-INF/evidencerecord002.ers")


@pytest.mark.parametrize("data", [b"", b"no record", b"\x30\x00"])
def test_a_record_that_does_not_hold_is_followed_by_another(bundle, data):
    [once], _ = renew(bundle)
    out = io.BytesIO()
    add_proofs(io.BytesIO(once), out, lambda _: {FIRST: data})
    standing = stands(out.getvalue())
    assert (standing.number, standing.record) == (2, None)


def test_a_bundle_that_changed_since_it_was_looked_at_is_not_renewed(bundle):
    other = built({**SOME, "evidence/001-listing/page.html": b"<p>other</p>"}, stampers=[Tokens()])[1]
    standing = stands(bundle)
    [record] = renewed([standing], Stamp())
    with pytest.raises(Invalid, match=r"evidence\.renewal_differs"):
        extend(io.BytesIO(other), io.BytesIO(), standing, record)
