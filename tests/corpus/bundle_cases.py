"""The corpus of bundles: good and spoiled, with what every verifier must say of each.

What is wanted is written here by hand, never taken from a verifier: the verdict, and of each claim that does not pass
the codes that do not pass. `scripts/make_bundles.py` writes the files.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from corpus import bundle_maker as made
from corpus import maker
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from chopmark.evidence.bundle.asic import AsicManifest, Reference
from chopmark.evidence.bundle.manifest import Manifest
from chopmark.ledger.cms import read_signed
from chopmark.ledger.cose import Envelope

Wrong = Mapping[str, list[str]]

SIGNATURE, FIRST, SECOND = "META-INF/signature001.p7s", "META-INF/timestamp001.tst", "META-INF/timestamp002.tst"
ASIC = "META-INF/ASiCManifest001.xml"
IN_TOKEN, IN_LISTING, IN_INVOICE = (f"token:{made.TOKEN}", *(f"receipt:{each}" for each in made.RECEIPTS))
COVERED = ["signature:1", "time:1", "time:2"]


@dataclass(frozen=True)
class Case:
    """One bundle and what every verifier must say of it.

    Attributes:
        says: what is special about it.
        data: its bytes.
        verdict: wanted.
        wrong: by claim, the codes that do not pass; claims that are not here pass.
        trust: name of the trust given, or None.
        at: the time of the check.
        only: whether the report ends with the last claim of `wrong`, because nothing more can be said.
    """

    says: str
    data: bytes
    verdict: str
    wrong: Wrong
    trust: str | None = "all"
    at: datetime = made.CHECKED
    only: bool = False


def good(says: str, data: bytes, **rest) -> Case:
    return Case(says, data, "PASSED", {}, **rest)


def open_(says: str, data: bytes, wrong: Wrong, **rest) -> Case:
    return Case(says, data, "INDETERMINATE", wrong, **rest)


def bad(says: str, data: bytes, wrong: Wrong, **rest) -> Case:
    return Case(says, data, "FAILED", wrong, **rest)


def frame(says: str, data: bytes, code: str) -> Case:
    """A container that is none: nothing else can be said."""
    return Case(says, data, "FAILED", {"container": [f"bundle.{code}"]}, only=True)


def bundle_codes(**claims: str | list[str]) -> dict[str, list[str]]:
    """Claims by keyword to codes without their room."""
    return {
        name: [f"bundle.{each}" for each in ([codes] if isinstance(codes, str) else codes)]
        for name, codes in claims.items()
    }


def at_claims(names: list[str], *codes: str) -> dict[str, list[str]]:
    return {name: [f"bundle.{each}" for each in codes] for name in names}


# ---- spoiling --------------------------------------------------------------------------------------------------------


def with_files(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The bundle with other contents, in a container that is right."""
    files = made.contents(data)
    change(files)
    return made.packed(files)


def replaced(data: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """One file in which some bytes stand once and are others now."""

    def change(files: dict[str, bytes]) -> None:
        if files[name].count(old) != 1:
            raise ValueError(f"{old!r} stands {files[name].count(old)} times in {name}")
        files[name] = files[name].replace(old, new)

    return with_files(data, change)


def flipped(data: bytes, name: str, at: int | bytes) -> bytes:
    """One bit of one file is another; `at` is a place, or bytes in front of which it is."""

    def change(files: dict[str, bytes]) -> None:
        content = bytearray(files[name])
        place = at if isinstance(at, int) else content.index(at) + len(at)
        content[place] ^= 1
        files[name] = bytes(content)

    return with_files(data, change)


def raw_flipped(data: bytes, at: int) -> bytes:
    """One bit of the bundle's file itself is another."""
    spoiled = bytearray(data)
    spoiled[at] ^= 1
    return bytes(spoiled)


def without(data: bytes, *names: str) -> bytes:
    return with_files(data, lambda files: [files.pop(name) for name in names])


def with_manifest(change: Callable[[Manifest], Manifest]) -> bytes:
    """A bundle that the platform signed although its manifest is not true."""
    return made.bundle(manifest=change)


# ---- the cases -------------------------------------------------------------------------------------------------------


def every_case() -> Iterator[Case]:
    """All of them, the good ones first."""
    base = made.bundle()
    yield from _good(base)
    yield from _trust(base)
    yield from _containers(base)
    yield from _flipped(base)
    yield from _manifests(base)
    yield from _meta(base)
    yield from _signers()
    yield from _clocks(base)
    yield from _receipts()
    yield from _custody()


def _good(base: bytes) -> Iterator[Case]:
    yield good("nothing is wrong", base)
    yield good("a notary signed too", made.seconded(base))
    yield good("a file is shown redacted", made.redacted())
    yield good("its time-stamps were renewed", made.renewed(base))
    yield good("the certificates have ended since", base, at=made.SIGNED + timedelta(days=5 * 365))
    yield good(
        "its only clock is the platforms own",
        made.bundle(clocks=[made.own()], seal=made.platform().seal([made.own()])),
        trust="own-clock-only",
    )
    yield good("a capture was broken off", with_manifest(_broken_off))
    yield good("a file is empty", made.bundle({**made.some(), made.SHOT: b""}))
    yield good("a certificate was revoked after it signed", _revoked_after())


def _broken_off(manifest: Manifest) -> Manifest:
    first = manifest.items[0]
    capture = replace(first.capture, complete=False, cleanliness="failed")
    return replace(manifest, items=(replace(first, capture=capture), *manifest.items[1:]))


def _revoked_after() -> bytes:
    """The newer list lies in the bundle, the older one in the signature."""
    folder = made.platform().copied()
    before = folder.copied()
    folder.seal([]).renew_signer(made.SIGNED + made.HOUR, revoke=True)
    return made.bundle({**made.some(), "trust/crl/platform.crl": folder.revoked}, seal=before.seal(made.stampers()))


def _trust(base: bytes) -> Iterator[Case]:
    unsure = ["verify.policy_missing"]
    nobody = {
        **at_claims(["signature:1"], *["trust_not_given"] * 3),
        **at_claims(["time:1", "time:2", IN_TOKEN], "trust_not_given"),
        IN_LISTING: unsure,
        IN_INVOICE: unsure,
    }
    yield open_("nobody is trusted", base, nobody, trust=None)
    yield open_(
        "the independent clock is not trusted",
        base,
        at_claims(["signature:1", "time:2"], "token_unknown"),
        trust="own-clock-only",
    )
    yield open_(
        "no clock is trusted",
        base,
        {
            **at_claims(["signature:1"], "token_unknown", "token_unknown"),
            **at_claims(["time:1", "time:2", IN_TOKEN], "token_unknown"),
        },
        trust="no-clock",
    )
    yield open_(
        "the notary is not trusted",
        made.seconded(base),
        at_claims(["signature:2"], "signer_unknown"),
        trust="without-notary",
    )
    yield open_("no policy is trusted", base, {IN_LISTING: unsure, IN_INVOICE: unsure}, trust="no-policy")
    stranger = ["verify.log_unknown"]
    yield open_("another log is trusted", base, {IN_LISTING: stranger, IN_INVOICE: stranger}, trust="another-log")


def _containers(base: bytes) -> Iterator[Case]:
    whole = made.contents(base)
    entries = [(name, whole[name]) for name in ("mimetype", made.PAGE, made.SHOT, "manifest.json")]
    base = made.loose(entries)
    first = len("mimetype") + 30 + 31
    yield frame("the file is empty", b"", "zip_malformed")
    yield frame("the file is no container", b"%PDF-1.7\n" * 10, "zip_malformed")
    yield frame("the file is cut off", base[:-100], "zip_malformed")
    yield frame("the file is cut off in the middle", base[: len(base) // 2], "zip_malformed")
    yield frame("bytes stand before the container", b"MZ" + base, "zip_malformed")
    yield frame("bytes stand behind the container", base + b"\0", "zip_malformed")
    yield frame("bytes stand between two entries", base[:first] + b"\0" + base[first:], "zip_malformed")
    yield frame("the container has a comment", base[:-2] + b"\x05\0hello", "zip_malformed")
    yield frame("an entry is deflated, as a bomb would be", _deflated(base), "zip_malformed")
    yield frame("an entry claims to be encrypted", _patched(base, made.PAGE, 6, 8, b"\x01\0"), "zip_malformed")
    yield frame("an entry has attributes of a link", _linked(base, made.PAGE), "zip_malformed")
    yield frame("the two headers of an entry differ in its name", _renamed(base, made.PAGE), "zip_malformed")
    yield frame("a name leads out of the folder", made.loose([*entries, ("../evil.html", b"x")]), "name_unsafe")
    yield frame("a name is absolute", made.loose([*entries, ("/etc/passwd", b"x")]), "name_unsafe")
    yield frame("a name has a backslash", made.loose([*entries, ("a\\b", b"x")]), "name_unsafe")
    yield frame("a name is there twice", made.loose([*entries, entries[-1]]), "name_twice")
    yield frame(
        "two names differ in case only",
        made.loose([*entries, (made.PAGE.upper(), b"x")]),
        "name_twice",
    )
    yield frame("a file bears the name of a folder", made.loose([*entries, ("evidence", b"x")]), "name_twice")
    yield frame("the order is another one", made.loose([entries[0], *entries[:0:-1]]), "zip_malformed")
    yield frame("the mark of the container is missing", made.loose(entries[1:]), "mimetype_wrong")
    yield frame(
        "the mark of the container is another one",
        made.loose([("mimetype", b"application/vnd.etsi.asic-s+zip"), *entries[1:]]),
        "mimetype_wrong",
    )
    yield frame("the directory claims more entries than there are", _counted(base), "zip_malformed")


def _at_header(base: bytes, name: str) -> tuple[int, int]:
    """Where the local and the central header of an entry begin."""
    encoded = name.encode()
    local = base.index(encoded) - 30
    central = base.rindex(b"PK\x01\x02", 0, base.rindex(encoded))
    return local, central


def _patched(base: bytes, name: str, local: int, central: int, new: bytes) -> bytes:
    """Both headers of an entry with other bytes at these places."""
    spoiled = bytearray(base)
    for start, at in zip(_at_header(base, name), (local, central), strict=True):
        spoiled[start + at : start + at + len(new)] = new
    return bytes(spoiled)


def _deflated(base: bytes) -> bytes:
    return _patched(base, made.SHOT, 8, 10, b"\x08\0")


def _linked(base: bytes, name: str) -> bytes:
    spoiled = bytearray(base)
    central = _at_header(base, name)[1]
    spoiled[central + 38 : central + 42] = struct.pack("<I", 0o120777 << 16)
    return bytes(spoiled)


def _renamed(base: bytes, name: str) -> bytes:
    spoiled = bytearray(base)
    central = _at_header(base, name)[1]
    spoiled[central + 46 + len(name) - 1] ^= 1
    return bytes(spoiled)


def _counted(base: bytes) -> bytes:
    count = struct.unpack("<H", base[-12:-10])[0]
    return base[:-14] + struct.pack("<2H", count + 1, count + 1) + base[-10:]


def _flipped(base: bytes) -> Iterator[Case]:
    platform, own = made.platform(), made.own()
    crc = {"container": ["bundle.zip_malformed"]}
    everywhere = at_claims(COVERED, "asic_differs")
    yield bad(
        "a bit of a file is flipped and nothing else is changed",
        raw_flipped(base, base.index(made.some()[made.SHOT]) + 7),
        {**crc, **bundle_codes(files="file_changed"), **everywhere},
    )
    yield frame(
        "a bit of a local header is flipped", raw_flipped(base, _at_header(base, made.PAGE)[0] + 10), "zip_malformed"
    )
    yield frame(
        "a bit of the directory is flipped", raw_flipped(base, _at_header(base, made.PAGE)[1] + 12), "zip_malformed"
    )
    yield bad("a checksum is wrong in both places", _patched(base, made.PAGE, 14, 16, b"\0\0\0\0"), crc)
    yield bad(
        "a bit of a file is flipped",
        flipped(base, made.INVOICE, 20),
        {**bundle_codes(files="file_changed"), **everywhere},
    )
    yield bad(
        "a bit of the stamped file is flipped",
        flipped(base, made.PAGE, 20),
        {**bundle_codes(files="file_changed"), **everywhere, IN_TOKEN: ["ledger.timestamp_other_data"]},
    )
    yield bad(
        "a letter of the manifests title is another",
        replaced(base, "manifest.json", b'"en":"Lantern"', b'"en":"Lentern"'),
        {**bundle_codes(content="content_differs"), **everywhere},
    )
    yield bad(
        "a letter of the manifests number is another",
        replaced(base, "manifest.json", b"B-2026-000123", b"B-2026-000124"),
        everywhere,
    )
    yield bad(
        "a bit of the list under the signature is flipped",
        flipped(base, ASIC, b"<ds:DigestValue>"),
        {
            "signature:1": ["bundle.asic_differs", "bundle.cms_digest_wrong"],
            **at_claims(["time:1", "time:2"], "asic_differs"),
        },
    )
    in_times = at_claims(["time:1", "time:2"], "asic_differs")
    signature = made.contents(base)[SIGNATURE]
    yield bad(
        "a bit of the signed attributes is flipped",
        flipped(base, SIGNATURE, sha256(made.contents(base)[ASIC]).digest()[:31]),
        {**in_times, "signature:1": ["bundle.cms_digest_wrong"]},
    )
    yield bad(
        "a bit of the signatures value is flipped",
        flipped(base, SIGNATURE, _value_of(signature)[:-1]),
        {**in_times, "signature:1": ["bundle.cms_signature_wrong"]},
    )
    yield bad(
        "a bit of the signers certificate is flipped",
        flipped(base, SIGNATURE, _signature_of(_certificate(platform.folder / "signer.pem"))[:-1]),
        {**in_times, "signature:1": ["bundle.cms_certificate_missing"]},
    )
    yield bad(
        "a bit of the roots certificate inside the signature is flipped",
        flipped(base, SIGNATURE, _signature_of(platform.root)[:-1]),
        {**in_times, "signature:1": ["bundle.cms_certificate_altered"]},
    )
    revoked = x509.load_der_x509_crl(platform.revoked)
    yield bad(
        "a bit of the list of revoked certificates is flipped",
        flipped(base, SIGNATURE, revoked.signature[:-1]),
        {**in_times, "signature:1": ["bundle.revocation_missing", "bundle.cms_list_altered"]},
    )
    yield bad(
        "a bit of a token that nobody signs is flipped",
        flipped(base, SIGNATURE, sha256(_value_of(signature)).digest()[:31]),
        {**in_times, "signature:1": ["bundle.signature_time_wrong"]},
    )
    yield bad(
        "a certificate in a token that nobody signs is altered",
        flipped(base, SIGNATURE, _signature_of(own.root)[:-1]),
        {**in_times, "signature:1": ["bundle.signature_time_wrong"]},
    )
    yield bad(
        "the time in a token is another",
        replaced(base, SECOND, b"20261122103000Z", b"20261121103000Z"),
        {"time:2": ["ledger.timestamp_signature_wrong"]},
    )
    yield bad(
        "the certificate of a token is altered",
        flipped(base, SECOND, _signature_of(made.centre().certificate)[:-1]),
        {"time:2": ["ledger.timestamp_certificate_missing"]},
    )
    yield bad(
        "another certificate in a token is altered",
        flipped(base, SECOND, _signature_of(made.centre().root)[:-1]),
        {"time:2": ["bundle.cms_certificate_altered"]},
    )
    yield bad(
        "what a token announces is not what it used",
        _announced(base),
        {"time:2": ["ledger.timestamp_malformed"]},
    )


def _announced(base: bytes) -> bytes:
    """The digest algorithm that stands first in a token is another one, which no key signs."""
    sha = bytes.fromhex("0609608648016503040201")

    def change(files: dict[str, bytes]) -> None:
        files[SECOND] = files[SECOND].replace(sha, sha[:-1] + b"\x02", 1)

    return with_files(base, change)


def _certificate(path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _signature_of(certificate: x509.Certificate) -> bytes:
    return certificate.signature


def _value_of(signature: bytes) -> bytes:
    return read_signed(signature).signature


def _manifests(base: bytes) -> Iterator[Case]:
    everywhere = at_claims(COVERED, "asic_differs")
    only = at_claims(["manifest"], "manifest_malformed")
    yield bad(
        "the manifest is missing",
        without(base, "manifest.json"),
        {**at_claims(["manifest"], "manifest_missing"), **everywhere},
        only=True,
    )
    yield bad(
        "the manifest is written in another way",
        replaced(base, "manifest.json", b'{"$schema":', b'{ "$schema":'),
        {**only, **everywhere},
        only=True,
    )
    yield bad(
        "the manifest has a member that nobody knows",
        replaced(base, "manifest.json", b'{"$schema":', b'{"$a":1,"$schema":'),
        {**only, **everywhere},
        only=True,
    )
    yield bad(
        "the manifest has a member twice",
        replaced(base, "manifest.json", b'{"$schema":', b'{"$schema":"x","$schema":'),
        {**only, **everywhere},
        only=True,
    )
    yield bad(
        "the manifest is no JSON",
        with_files(base, lambda files: files.update({"manifest.json": b"{"})),
        {**only, **everywhere},
        only=True,
    )
    yield bad(
        "a file is missing",
        without(base, made.INVOICE),
        {**bundle_codes(files="file_missing"), **everywhere},
    )
    yield bad(
        "a receipt is missing",
        without(base, made.RECEIPTS[0]),
        {**bundle_codes(files="file_missing"), **everywhere, IN_LISTING: ["bundle.receipt_missing"]},
    )
    yield bad(
        "a file was planted",
        with_files(base, lambda files: files.update({"evidence/001-listing/planted.png": b"x"})),
        {**bundle_codes(files="file_unlisted"), **at_claims(COVERED, "asic_uncovered")},
    )
    yield bad(
        "a file was planted beside the signatures",
        with_files(base, lambda files: files.update({"META-INF/planted.html": b"<script>"})),
        bundle_codes(files="file_unlisted"),
    )
    yield bad(
        "the manifest names a file that is missing",
        _resigned(without(base, made.SHOT)),
        bundle_codes(files="file_missing"),
    )
    yield bad(
        "a file was exchanged and everything signed anew but the manifest",
        _resigned(flipped(base, made.SHOT, 9)),
        bundle_codes(files="file_changed"),
    )
    yield bad(
        "the digest of the content is another one",
        with_manifest(lambda manifest: replace(manifest, stated_content=bytes(32))),
        bundle_codes(content="content_differs"),
    )


def _resigned(data: bytes) -> bytes:
    """The platform signs and stamps what is there, whatever the manifest says."""

    def change(files: dict[str, bytes]) -> None:
        outside = [name for name in files if not name.startswith("META-INF/") and name != "mimetype"]
        references = tuple(Reference(name, "text/plain", sha256(files[name]).digest()) for name in outside)
        for name in [name for name in files if name.startswith("META-INF/")]:
            del files[name]
        proofs = [SIGNATURE, FIRST, SECOND]
        for number, proof in enumerate(proofs, start=1):
            over = AsicManifest(sig_reference=proof, references=references).encode()
            files[f"META-INF/ASiCManifest{number:03}.xml"] = over
            clock = made.own() if proof == FIRST else made.centre()
            files[proof] = made.platform_seal().sign(over) if proof == SIGNATURE else clock.token(sha256(over).digest())

    return with_files(data, change)


def _meta(base: bytes) -> Iterator[Case]:
    yield bad(
        "the signature is missing",
        without(base, SIGNATURE),
        {
            **bundle_codes(files="file_missing"),
            "signature": ["bundle.signature_missing"],
            **at_claims(["time:1", "time:2"], "asic_differs"),
        },
    )
    yield bad(
        "the signature is missing, and what it was over",
        without(base, SIGNATURE, ASIC),
        {
            "signature": ["bundle.signature_missing"],
            "time:1": ["bundle.asic_differs"] * 2,
            "time:2": ["bundle.asic_differs"] * 2,
        },
    )
    yield open_(
        "the time-stamps are missing",
        without(base, FIRST, SECOND, "META-INF/ASiCManifest002.xml", "META-INF/ASiCManifest003.xml"),
        {"time": ["bundle.tokens_missing"]},
    )
    yield bad("a time-stamp is missing", without(base, SECOND), bundle_codes(files="file_missing"))
    yield bad(
        "a file that everything lists is left out of the signature",
        _partial(base),
        {"signature:1": ["bundle.asic_uncovered"], **at_claims(["time:1", "time:2"], "asic_differs", "asic_differs")},
    )
    yield bad(
        "the list under the signature is written in another way",
        replaced(base, ASIC, b"?>\n<asic", b"?>\n\n<asic"),
        {
            **bundle_codes(files="file_unlisted"),
            "signature:1": ["bundle.asic_manifest_malformed"],
            **at_claims(["time:1", "time:2"], "asic_differs"),
        },
    )
    yield bad(
        "the list under the signature brings an entity",
        replaced(base, ASIC, b"?>\n<asic", b'?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n<asic'),
        {
            **bundle_codes(files="file_unlisted"),
            "signature:1": ["bundle.asic_manifest_malformed"],
            **at_claims(["time:1", "time:2"], "asic_differs"),
        },
    )
    yield bad(
        "something hides under the name of a list",
        with_files(base, lambda files: files.update({"META-INF/ASiCManifest099.xml": b"<html>not signed</html>"})),
        bundle_codes(files="file_unlisted"),
    )
    yield bad(
        "the signature bears the name of a time-stamp",
        with_files(base, _misnamed),
        {
            **bundle_codes(files=["file_missing", "file_unlisted"], signature="signature_missing"),
            **at_claims(["time:1", "time:2"], "asic_differs", "asic_differs"),
        },
    )
    yield open_(
        "a record was not renewed in time",
        made.renewed(base),
        {"record:1": ["bundle.record_wrong"]},
        at=made.SIGNED + timedelta(days=5 * 365),
    )
    yield bad("a record is of fewer files", made.renewed(base, without=1), {"record:1": ["bundle.record_wrong"]})
    yield bad(
        "a time-stamp is of another bundle",
        _time_of_another(base),
        {"time:2": ["ledger.timestamp_other_data"]},
    )
    yield bad(
        "a signature is no signature",
        with_files(base, lambda files: files.update({SIGNATURE: b"0\x03\x02\x01\x01"})),
        {"signature:1": ["bundle.cms_malformed"], **at_claims(["time:1", "time:2"], "asic_differs")},
    )
    yield bad(
        "a time-stamp is no token",
        with_files(base, lambda files: files.update({SECOND: b"0\x03\x02\x01\x01"})),
        {"time:2": ["ledger.timestamp_malformed"]},
    )


def _partial(base: bytes) -> bytes:
    """The platform's own signature, but over fewer files."""

    def change(files: dict[str, bytes]) -> None:
        whole = AsicManifest.parse(files[ASIC])
        fewer = tuple(each for each in whole.references if each.uri != made.INVOICE)
        files[ASIC] = AsicManifest(sig_reference=SIGNATURE, references=fewer).encode()
        files[SIGNATURE] = made.platform_seal().sign(files[ASIC])

    return with_files(base, change)


def _misnamed(files: dict[str, bytes]) -> None:
    other = "META-INF/timestamp009.p7s"
    files[other] = files.pop(SIGNATURE)
    files[ASIC] = files[ASIC].replace(SIGNATURE.encode(), other.encode())


def _time_of_another(base: bytes) -> bytes:
    other = made.bundle({**made.some(), made.SHOT: b"another"})
    return with_files(base, lambda files: files.update({SECOND: made.contents(other)[SECOND]}))


def _signers() -> Iterator[Case]:
    one = "signature:1"
    forger = made.SealFolder("Chopmark Corpus")
    yield bad(
        "a root of the same name signed",
        made.bundle(_beside(forger), seal=forger.seal(made.stampers())),
        {one: ["bundle.signer_forged"]},
    )
    stranger = made.SealFolder("Somebody Else")
    yield open_(
        "a root that nobody knows signed",
        made.bundle(_beside(stranger), seal=stranger.seal(made.stampers())),
        {one: ["bundle.signer_unknown"]},
    )
    yield open_(
        "a notary signed in place of the platform",
        made.bundle(seal=made.notary().seal(made.stampers())),
        {one: ["bundle.signer_unknown"]},
    )
    server = made.platform().copied().for_other_purposes(ExtendedKeyUsageOID.SERVER_AUTH)
    yield bad(
        "the signers certificate is for another purpose",
        made.bundle(seal=server.seal(made.stampers())),
        {one: ["bundle.signer_usage"]},
    )
    yield bad("the signers certificate had ended", _expired(), {one: ["bundle.signer_expired"]})
    yield bad("the signers certificate was revoked", _revoked(), {one: ["bundle.signer_revoked"]})
    yield open_("there is no list of revoked certificates of that time", _stale(), {one: ["bundle.revocation_missing"]})
    yield open_(
        "the signature has no time-stamp",
        made.bundle(seal=made.platform().seal([])),
        {one: ["bundle.signature_time_missing"]},
    )
    liar = made.Clock("own", own=True, organisation="chopmark.example")
    yield bad(
        "a forged clock stands inside the signature",
        made.bundle(seal=made.platform().seal([liar])),
        {one: ["bundle.signature_time_wrong"]},
    )


def _beside(folder: made.SealFolder) -> dict[str, bytes]:
    """The files with the forger's root among the bundle's own, where it proves nothing."""
    return {**made.some(), "trust/roots/platform.pem": folder.root.public_bytes(Encoding.PEM)}


def _expired() -> bytes:
    """The platform's root issued a certificate that ended before the tokens' time."""
    copy = made.platform().copied()
    path = copy.folder / "signer.pem"
    old = x509.load_pem_x509_certificate(path.read_bytes())
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number + 1)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(made.SIGNED - made.HOUR)
    )
    for each in old.extensions:
        builder = builder.add_extension(each.value, critical=each.critical)
    path.write_bytes(builder.sign(copy.root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return made.bundle(seal=copy.seal(made.stampers(), made.SIGNED - 2 * made.HOUR))


def _revoked() -> bytes:
    """Signed with a key that was stolen; the newer list lies in the bundle."""
    platform = made.platform().copied()
    thief = platform.copied()
    platform.seal([]).renew_signer(made.SIGNED - made.HOUR, revoke=True)
    return made.bundle({**made.some(), "trust/crl/platform.crl": platform.revoked}, seal=thief.seal(made.stampers()))


def _stale() -> bytes:
    """A list of revoked certificates that ended before the signature's time."""
    folder = made.platform().copied()
    folder.seal([]).renew_crl(made.SIGNED - timedelta(days=100))
    old = folder.revoked
    (folder.folder / "root.key").unlink()
    seal = folder.seal(made.stampers(), made.SIGNED - timedelta(days=20))
    return made.bundle({**made.some(), "trust/crl/platform.crl": old}, seal=seal)


def _clocks(base: bytes) -> Iterator[Case]:
    liar = made.Clock("time-centre", own=False, organisation="Time Centre")
    yield bad(
        "a time-stamp authority is forged",
        made.bundle(clocks=[made.own(), liar]),
        {"time:2": ["bundle.token_forged"]},
    )
    unknown = made.Clock("other", own=False, organisation="Other Centre")
    yield open_(
        "a time-stamp authority is unknown",
        made.bundle(clocks=[made.own(), unknown]),
        {"time:2": ["bundle.token_unknown"]},
    )
    unfit = made.Clock("other", own=False, organisation="Other Centre", purpose=ExtendedKeyUsageOID.CODE_SIGNING)
    yield bad(
        "the authoritys certificate is for another purpose",
        made.bundle(clocks=[made.own(), unfit]),
        {"time:2": ["ledger.timestamp_certificate_unfit"]},
    )
    yield open_(
        "the time-stamps are of tomorrow",
        base,
        {
            "signature:1": ["ledger.timestamp_ahead"] * 2,
            "time:1": ["ledger.timestamp_ahead"],
            "time:2": ["ledger.timestamp_ahead"],
            IN_TOKEN: ["ledger.timestamp_ahead"],
        },
        at=maker.AT + timedelta(minutes=1),
    )
    other = made.own().token(sha256(b"another page").digest())
    yield bad(
        "the token of a file is over another file",
        made.bundle({**made.some(), made.TOKEN: other}),
        {IN_TOKEN: ["ledger.timestamp_other_data"]},
    )


def _crossed(manifest: Manifest) -> Manifest:
    first, second = manifest.items
    return replace(manifest, items=(first, replace(second, deposits=first.deposits)))


def _receipts() -> Iterator[Case]:
    listing, invoice = made.RECEIPTS
    files = made.some()
    yield bad(
        "two receipts are swapped",
        made.bundle({**files, listing: files[invoice], invoice: files[listing]}),
        {IN_LISTING: ["verify.digest_differs"], IN_INVOICE: ["verify.digest_differs"]},
    )
    other = made.receipt(b"another file of another matter")
    yield bad(
        "a receipt of another deposit is replayed",
        made.bundle({**files, listing: other}),
        {IN_LISTING: ["verify.digest_differs"]},
    )
    yield bad(
        "a deposit is of no file of the bundle",
        _deposit_of(b"another file of another matter", other),
        {IN_LISTING: ["bundle.receipt_other"]},
    )
    yield bad(
        "a deposit is of a file of another item",
        with_manifest(_crossed),
        {IN_LISTING: ["bundle.receipt_other"]},
    )
    yield open_(
        "the quorum is one court short",
        made.bundle({**files, listing: made.receipt(files[made.PAGE], courts=[maker.HANGZHOU])}),
        {IN_LISTING: ["verify.quorum_missing", "verify.time_without_quorum"]},
    )
    forged = made.receipt(files[made.PAGE], log=maker.STRANGER)
    yield open_(
        "the checkpoint is of another log",
        made.bundle({**files, listing: forged}),
        {IN_LISTING: ["verify.log_unknown"]},
    )
    yield bad(
        "the checkpoint is forged",
        made.bundle({**files, listing: _forged_checkpoint(files[listing])}),
        {IN_LISTING: ["verify.inclusion_wrong"]},
    )
    yield bad(
        "a receipt is no receipt",
        made.bundle({**files, listing: b"\xd2\x84"}),
        {IN_LISTING: ["verify.receipt_malformed"]},
    )


def _deposit_of(content: bytes, receipt: bytes) -> bytes:
    def change(manifest: Manifest) -> Manifest:
        first = manifest.items[0]
        deposit = replace(first.deposits[0], sha256=sha256(content).digest())
        return replace(manifest, items=(replace(first, deposits=(deposit,)), *manifest.items[1:]))

    return made.bundle({**made.some(), made.RECEIPTS[0]: receipt}, manifest=change)


def _forged_checkpoint(receipt: bytes) -> bytes:
    """The checkpoint's root is another one."""
    envelope = Envelope.parse(receipt)
    text = bytes(envelope.unprotected["chopmark"]["checkpoint"])
    lines = text.split(b"\n")
    lines[2] = lines[2][:5] + (b"A" if lines[2][5:6] != b"A" else b"B") + lines[2][6:]
    header = dict(envelope.unprotected)
    header["chopmark"] = {**header["chopmark"], "checkpoint": b"\n".join(lines)}
    return replace(envelope, unprotected=header).encode()


def _custody() -> Iterator[Case]:
    log = made.some()[made.LOG]
    lines = log.splitlines(keepends=True)
    stated = made.manifest_of(made.some()).custody

    def with_log(changed: bytes) -> bytes:
        return made.bundle({**made.some(), made.LOG: changed}, manifest=lambda each: replace(each, custody=stated))

    broken = {"custody": ["bundle.custody_broken"]}
    yield bad("a line of the custody log was rewritten", with_log(log.replace(b'"files":1', b'"files":9')), broken)
    yield bad("a line of the custody log was left out", with_log(lines[0] + b"".join(lines[2:])), broken)
    yield bad(
        "two lines of the custody log changed places", with_log(lines[0] + lines[2] + lines[1] + lines[3]), broken
    )
    yield bad("the last line of the custody log has no end", with_log(log[:-1]), broken)
    yield bad(
        "the last line of the custody log was cut off",
        with_log(b"".join(lines[:-1])),
        {"custody": ["bundle.custody_head_differs"]},
    )
