from dataclasses import replace
from datetime import timedelta
from hashlib import sha256, sha512

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from world.tsa import TsaWorld

from chopmark.base.errors import Invalid
from chopmark.evidence import evidence_record
from chopmark.evidence.evidence_record import EvidenceRecord, renew_hash_trees, renew_time_stamps, start, verify
from chopmark.ledger import der
from chopmark.ledger.cms import SHA256, SHA512
from chopmark.ledger.timestamp import Authority, parse_token
from chopmark.ledger.tsa import Mark, Order, Signer, make_root, make_signer

DAY = timedelta(days=1)


class Time:
    """An authority whose clock goes on by a day with each token."""

    def __init__(self):
        self.world = TsaWorld()
        self.asked = []

    def __call__(self, digest):
        self.asked.append(digest)
        self.world.at += DAY
        algorithm = SHA256 if len(digest) == 32 else SHA512
        return self.world.signer.stamp(Order(algorithm=algorithm, imprint=digest, nonce=None, certificates=True))

    def checks(self, record, files, *, at=None):
        return verify(record, both(files), [self.world.authority], at or self.world.at)


class another_authority:  # noqa: N801 (used like a function)
    """An authority whose certificates begin when the other's end."""

    key, root = make_root("later.test", TsaWorld().certificate.not_valid_after_utc - 9 * DAY)
    signing, certificate = make_signer(
        "later.test", TsaWorld().certificate.not_valid_after_utc - 9 * DAY, root_key=key, root=root
    )
    authority = Authority(name="later", certificates=(root.public_bytes(Encoding.DER),))

    def __init__(self, at):
        self.signer = Signer(
            key=self.signing,
            certificates=[self.certificate, self.root],
            mark=Mark(serial=0, time=at - DAY),
            keep=lambda _: None,
            clock=lambda: at,
        )

    def __call__(self, digest):
        return self.signer.stamp(Order(algorithm=SHA256, imprint=digest, nonce=None, certificates=True))


def both(files):
    return {SHA256: by(sha256, files), SHA512: by(sha512, files)}


def by(function, files):
    return [function(each.encode()).digest() for each in files]


GROUPS = [["a", "b", "c"], ["d"], ["e", "a"]]


def three(time):
    return start([by(sha256, group) for group in GROUPS], time)


def test_one_token_covers_all_groups_and_each_record_shows_its_own():
    time = Time()
    records = three(time)
    assert len(time.asked) == 1
    for record, group in zip(records, GROUPS, strict=True):
        proven = time.checks(record, group)
        assert proven.existed_by == time.world.at
        assert proven.until == time.world.certificate.not_valid_after_utc
        assert proven.stamps[0].own


def test_each_renewal_asks_for_one_token_and_keeps_the_first_time():
    time = Time()
    records = three(time)
    first = time.world.at
    again = renew_time_stamps(records, time)
    other = renew_hash_trees(again, [by(sha512, group) for group in GROUPS], time, SHA512)
    last = renew_time_stamps(other, time)
    assert [len(each) for each in time.asked] == [32, 32, 64, 64]
    for record, group in zip(last, GROUPS, strict=True):
        assert [len(chain) for chain in record.chains] == [2, 2]
        assert record.algorithms == (SHA256, SHA512)
        proven = time.checks(record, group)
        assert proven.existed_by == first
        assert [each.time for each in proven.stamps] == [first + day * DAY for day in range(4)]


def test_records_of_other_files_of_more_or_of_fewer_are_refused():
    time = Time()
    record, alone, _ = three(time)
    for files in (["a", "b", "x"], ["a", "b", "c", "d"], ["a", "b"], ["x"], []):
        with pytest.raises(Invalid, match=r"evidence\.record_other_data"):
            time.checks(record, files)
    for files in (["a"], ["d", "a"], []):
        with pytest.raises(Invalid, match=r"evidence\.record_other_data"):
            time.checks(alone, files)


def test_a_renewal_that_covers_something_else_is_refused():
    time = Time()
    one, other = start([by(sha256, ["a", "b"])], time)[0], start([by(sha256, ["c", "d"])], time)[0]
    [renewed] = renew_time_stamps([other], time)
    [rehashed] = renew_hash_trees([other], [by(sha512, ["a", "b"])], time, SHA512)
    swapped = [
        EvidenceRecord(chains=((one.last, renewed.last),)),
        EvidenceRecord(chains=(one.chains[0], rehashed.chains[1])),
    ]
    for record in swapped:
        with pytest.raises(Invalid, match=r"evidence\.record_broken"):
            time.checks(record, ["a", "b"])


def test_a_record_is_over_with_its_last_certificate_and_cannot_be_renewed_after():
    time = Time()
    [record] = start([by(sha256, ["a", "b"])], time)
    until = time.world.certificate.not_valid_after_utc
    assert time.checks(record, ["a", "b"], at=until).until == until
    with pytest.raises(Invalid, match=r"evidence\.record_over"):
        time.checks(record, ["a", "b"], at=until + DAY)
    [late] = renew_time_stamps([record], another_authority(until + DAY))
    with pytest.raises(Invalid, match=r"evidence\.record_late"):
        verify(late, both(["a", "b"]), [time.world.authority, another_authority(until).authority], until + 2 * DAY)


def test_a_token_older_than_the_one_it_renews_is_refused():
    time = Time()
    [record] = start([by(sha256, ["a", "b"])], time)
    time.world.at -= 20 * DAY
    time.world.mark = replace(time.world.mark, serial=9)
    time.world.kept.clear()
    time.world.restart()
    [early] = renew_time_stamps([record], time)
    time.world.at += 40 * DAY
    with pytest.raises(Invalid, match=r"evidence\.record_late"):
        time.checks(early, ["a", "b"])


def test_a_digest_algorithm_that_was_not_computed_is_told():
    time = Time()
    [record] = start([by(sha512, ["a"])], time, SHA512)
    with pytest.raises(Invalid, match=r"evidence\.record_algorithm"):
        verify(record, {SHA256: by(sha256, ["a"])}, [time.world.authority], time.world.at)


def test_a_flipped_byte_is_found_unless_it_is_in_what_a_token_brings_and_nobody_signs():
    time = Time()
    [record] = renew_time_stamps(start([by(sha256, ["a", "b"])], time), time)
    encoded, proven = record.encode(), time.checks(record, ["a", "b"])
    last = encoded.find(record.last.token)
    for place in range(0, len(encoded), 5):
        changed = bytearray(encoded)
        changed[place] ^= 1
        try:
            assert time.checks(EvidenceRecord.parse(bytes(changed)), ["a", "b"]) == proven
        except Invalid:
            continue
        assert place > last  # what came before is under the last token


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x00",
        der.sequence(der.put_integer(1), der.sequence(), der.sequence()),
        der.sequence(der.put_integer(1), der.sequence(), der.sequence(der.sequence())),
        der.sequence(der.put_integer(2), der.sequence(), der.sequence(der.sequence(der.sequence()))),
        der.sequence(der.put_integer(1), der.sequence(), der.sequence(der.sequence(der.put_integer(1)))),
    ],
)
def test_what_is_no_record_is_malformed(data):
    with pytest.raises(Invalid, match=r"evidence\.record_malformed"):
        EvidenceRecord.parse(data)


def test_only_the_one_form_is_read():
    time = Time()
    [record] = start([by(sha256, ["a", "b"])], time)
    each = record.last
    unsorted = replace(each, tree=(each.tree[0][::-1],))
    twice = replace(each, tree=(each.tree[0][:1] * 2,))
    empty = replace(each, tree=((),))
    for wrong in (unsorted, twice, empty):
        with pytest.raises(Invalid, match=r"evidence\.record_malformed"):
            EvidenceRecord.parse(EvidenceRecord(chains=((wrong,),)).encode())
    with pytest.raises(Invalid, match=r"evidence\.record_malformed"):
        EvidenceRecord.parse(record.encode() + b"\0")


def simple_root(groups):
    """The tree again, as a reader of RFC 4998 4.2 would write it."""
    nodes = [group[0] if len(group) == 1 else sha256(b"".join(sorted(group))).digest() for group in groups]
    while len(nodes) > 1:
        paired = [nodes[here : here + 2] for here in range(0, len(nodes), 2)]
        nodes = [pair[0] if len(pair) == 1 else sha256(b"".join(sorted(pair))).digest() for pair in paired]
    return nodes[0]


files = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)


@settings(max_examples=25, deadline=None)
@given(
    groups=st.lists(files, min_size=1, max_size=9, unique_by=frozenset),
    steps=st.lists(st.sampled_from(["token", "tree"]), max_size=3),
)
def test_whatever_is_stamped_and_renewed_holds_and_reads_back(groups, steps):
    time = Time()
    records = start([by(sha256, group) for group in groups], time)
    assert time.asked[0] == simple_root([by(sha256, group) for group in groups])
    for step in steps:
        algorithm = records[0].last.algorithm
        if step == "token":
            records = renew_time_stamps(records, time)
        else:
            new, function = (SHA512, sha512) if algorithm == SHA256 else (SHA256, sha256)
            records = renew_hash_trees(records, [by(function, group) for group in groups], time, new)
    for record, group in zip(records, groups, strict=True):
        assert EvidenceRecord.parse(record.encode()) == record
        assert len(time.checks(record, group).stamps) == len(steps) + 1


@pytest.mark.parametrize("groups", [[[]], [[b"short"]]], ids=["a group of none", "a digest of another size"])
def test_what_cannot_be_stamped_is_a_mistake_of_the_caller(groups):
    with pytest.raises(ValueError, match="digests"):
        start(groups, Time())


def test_records_with_other_algorithms_are_not_renewed_together():
    time = Time()
    [one], [two] = start([by(sha256, ["a"])], time), start([by(sha512, ["a"])], time, SHA512)
    with pytest.raises(ValueError, match="one digest algorithm"):
        renew_time_stamps([one, two], time)


def test_no_more_time_stamps_than_the_limit_are_read(monkeypatch):
    time = Time()
    [record] = renew_time_stamps(start([by(sha256, ["a"])], time), time)
    assert parse_token(record.last.token).info.algorithm == SHA256
    monkeypatch.setattr(evidence_record, "MAX_STAMPS", 1)
    with pytest.raises(Invalid, match=r"evidence\.record_malformed"):
        EvidenceRecord.parse(record.encode())
