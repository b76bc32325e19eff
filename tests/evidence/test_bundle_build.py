"""Bundles are built from what was listed, joined by others, redacted and exported, without holding them in memory."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from hashlib import sha256

import bagit as judge
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey
from world.bundles import BUNDLE, SOME, Scribble, Tokens, built, manifest_of, parts_of, unpacked
from world.data import REPOSITORY
from world.patience import HANG
from world.tsa import AT, TsaWorld

from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence.bundle.asic import AsicManifest
from chopmark.evidence.bundle.bagit import bagit
from chopmark.evidence.bundle.build import Part, Proofs, add_proofs, add_signature, build
from chopmark.evidence.bundle.container import Container, ContainerWriter, place
from chopmark.evidence.bundle.manifest import Manifest
from chopmark.evidence.bundle.redact import PIECE, redact, seal, unseal
from chopmark.ledger.timestamp import verify_token

TWO = (Tokens(), Tokens("second", own=False))


def inside(bundle: bytes) -> dict[str, bytes]:
    """The files as another program reads them."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def lists(files: dict[str, bytes]) -> dict[str, AsicManifest]:
    found = {name: data for name, data in files.items() if name.startswith("META-INF/ASiCManifest")}
    return {name: AsicManifest.parse(data) for name, data in found.items()}


def must_cover(listed: AsicManifest, files: dict[str, bytes], more: set[str]) -> None:
    outside = {name for name in files if not name.startswith("META-INF/")} - {"mimetype"}
    assert {each.uri for each in listed.references} == outside | more
    assert all(each.sha256 == sha256(files[each.uri]).digest() for each in listed.references)


def test_a_bundle_holds_its_files_a_signature_and_a_token_of_each_authority():
    made, bundle = built(stampers=TWO)
    assert (made.sha256, made.size) == (sha256(bundle).digest(), len(bundle))
    files = inside(bundle)
    assert files.items() >= SOME.items()
    assert [name for name in files if name.startswith("META-INF/")] == [
        "META-INF/ASiCManifest001.xml",
        "META-INF/ASiCManifest002.xml",
        "META-INF/ASiCManifest003.xml",
        "META-INF/signature001.p7s",
        "META-INF/timestamp001.tst",
        "META-INF/timestamp002.tst",
    ]
    found = lists(files)
    signature = {"META-INF/ASiCManifest001.xml", "META-INF/signature001.p7s"}
    must_cover(found["META-INF/ASiCManifest001.xml"], files, set())
    for number in (2, 3):
        must_cover(found[f"META-INF/ASiCManifest00{number}.xml"], files, signature)
        assert found[f"META-INF/ASiCManifest00{number}.xml"].sig_reference == f"META-INF/timestamp00{number - 1}.tst"
        token = files[f"META-INF/timestamp00{number - 1}.tst"]
        verify_token(token, files[f"META-INF/ASiCManifest00{number}.xml"], [TsaWorld().authority], AT)
    assert files["META-INF/signature001.p7s"] == Scribble().sign(files["META-INF/ASiCManifest001.xml"])
    assert Manifest.parse(files["manifest.json"]) == manifest_of(parts_of())


def test_the_same_parts_give_the_same_bytes_in_whatever_order_they_come():
    backwards = dict(reversed(SOME.items()))
    parts, out = parts_of(backwards), io.BytesIO()
    build(out, manifest_of(parts_of()), parts, seal=Scribble(), stampers=())
    assert out.getvalue() == built()[1]


def test_a_bundle_is_what_a_naive_maker_makes():
    files = inside(built()[1])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files, key=place):
            info = zipfile.ZipInfo(name)
            info.create_system = 0
            info.create_version = info.extract_version = 20
            archive.writestr(info, files[name])
            info.external_attr = 0
    assert out.getvalue() == built()[1]


def test_nothing_is_signed_when_a_file_is_not_what_was_listed():
    class Never:
        def sign(self, _data: bytes) -> bytes:
            raise AssertionError("signed")

    parts = parts_of()
    swapped = [replace(each, open=lambda: io.BytesIO(b"other")) if each.size > 70_000 else each for each in parts]
    with pytest.raises(Invalid, match="source_changed") as raised:
        build(io.BytesIO(), manifest_of(parts), swapped, seal=Never(), stampers=())
    assert raised.value.facts["name"] in SOME


def test_parts_that_the_manifest_does_not_list_are_a_bug():
    parts = parts_of()
    for others in (
        parts[1:],
        [*parts, Part.of("more.txt", "text/plain", b"")],
        [replace(parts[0], size=1), *parts[1:]],
    ):
        with pytest.raises(ValueError, match="does not list"):
            build(io.BytesIO(), manifest_of(parts), others, seal=Scribble(), stampers=())


def test_an_authority_that_does_not_answer_ends_the_making():
    class Silent(Tokens):
        def token(self, _sha256: bytes) -> bytes:
            raise Unavailable("ledger.tsa_signer_silent")

    with pytest.raises(Unavailable):
        built(stampers=[Silent()])


def test_what_is_written_to_must_be_empty():
    parts, out = parts_of(), io.BytesIO(bytes(1 << 20))
    with pytest.raises(ValueError, match="not empty"):
        build(out, manifest_of(parts), parts, seal=Scribble(), stampers=())


# ---- a second signature ----------------------------------------------------------------------------------------------


def joined(bundle: bytes) -> bytes:
    out = io.BytesIO()
    made = add_signature(io.BytesIO(bundle), out, Scribble(), [Tokens()])
    assert (made.sha256, made.size) == (sha256(out.getvalue()).digest(), len(out.getvalue()))
    return out.getvalue()


def test_a_notary_joins_and_everything_else_stays():
    bundle = built(stampers=TWO)[1]
    first, second = inside(bundle), inside(joined(bundle))
    assert first.items() <= second.items()
    assert sorted(second.keys() - first.keys()) == [
        "META-INF/ASiCManifest004.xml",
        "META-INF/ASiCManifest005.xml",
        "META-INF/signature002.p7s",
        "META-INF/timestamp003.tst",
    ]
    found = lists(second)
    older = {name for name in first if name.startswith("META-INF/")}
    must_cover(found["META-INF/ASiCManifest004.xml"], second, set())
    must_cover(
        found["META-INF/ASiCManifest005.xml"],
        second,
        older | {"META-INF/ASiCManifest004.xml", "META-INF/signature002.p7s"},
    )


def test_a_third_joins_too():
    names = Container(io.BytesIO(joined(joined(built()[1])))).names
    assert {"META-INF/signature003.p7s", "META-INF/timestamp002.tst", "META-INF/ASiCManifest005.xml"} <= set(names)


def repacked(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    writer = ContainerWriter(out)
    for name in sorted(files, key=place):
        writer.add(name, files[name], len(files[name]), sha256(files[name]).digest())
    writer.finish()
    return out.getvalue()


SPOILED = {
    "a file was exchanged": ({"evidence/002-invoice/invoice.pdf": b"%PDF-1.7\n" + b"y" * 70_000}, "file_changed"),
    "a file has another length": ({"evidence/002-invoice/invoice.pdf": b"%PDF-1.7\n"}, "file_changed"),
    "a file is missing": ({"evidence/001-listing/empty.txt": None}, "file_missing"),
    "a file was planted": ({"evidence/planted.txt": b"x"}, "file_unlisted"),
    "the manifest is missing": ({"manifest.json": None}, "manifest_missing"),
    "the manifest is malformed": ({"manifest.json": b"{}"}, "manifest_malformed"),
    "the mimetype is another": ({"mimetype": b"application/zip"}, "mimetype_wrong"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_nobody_joins_when(case):
    changes, code = SPOILED[case]
    files = {name: data for name, data in (inside(built()[1]) | changes).items() if data is not None}
    for step in (joined, lambda data: bagit(io.BytesIO(data), io.BytesIO())):
        with pytest.raises(Invalid, match=f"bundle.{code}"):
            step(repacked(files))


def test_numbers_with_gaps_replace_nothing():
    files = inside(built(stampers=TWO)[1])
    del files["META-INF/timestamp001.tst"]
    again = inside(joined(repacked(files)))
    assert files.items() <= again.items()
    assert "META-INF/timestamp003.tst" in again


def test_an_evidence_record_can_join():
    def more(proofs: Proofs) -> dict[str, bytes]:
        assert [each.uri for each in proofs.covering()][-1] == "META-INF/timestamp002.tst"
        return {"META-INF/evidencerecord001.ers": b"record"}

    first, out = built(stampers=TWO)[1], io.BytesIO()
    add_proofs(io.BytesIO(first), out, more)
    assert inside(out.getvalue()).items() - inside(first).items() == {("META-INF/evidencerecord001.ers", b"record")}


# ---- redaction -------------------------------------------------------------------------------------------------------

COURT = PrivateKey.generate()


def test_a_redacted_bundle_keeps_the_digest_and_the_court_opens_the_original(tmp_path):
    parts = parts_of()
    path = "evidence/002-invoice/invoice.pdf"
    blackened = Part.of(path, "application/pdf", b"%PDF blackened")
    done = redact(parts, path, blackened, reason="个人信息", court=bytes(COURT.public_key), sealed=tmp_path / "sealed")
    manifest = replace(manifest_of(done.parts), redactions=(done.redaction,))
    out = io.BytesIO()
    build(out, manifest, done.parts, seal=Scribble(), stampers=())
    files = inside(out.getvalue())
    assert files[path] == b"%PDF blackened"
    assert SOME[path] not in out.getvalue()
    [redaction] = Manifest.parse(files["manifest.json"]).redactions
    opened = io.BytesIO()
    digest = unseal(io.BytesIO(files[redaction.sealed]), bytes(COURT), opened)
    assert opened.getvalue() == SOME[path]
    assert digest == redaction.original_sha256 == sha256(SOME[path]).digest()


def test_without_a_court_there_is_no_copy():
    path = "evidence/002-invoice/invoice.pdf"
    done = redact(parts_of(), path, Part.of(path, "text/plain", b""), reason="secret")
    assert (done.sealed, done.redaction.sealed, len(done.parts)) == (None, None, len(parts_of()))


def test_what_cannot_be_redacted_is_said(tmp_path):
    path = "evidence/002-invoice/invoice.pdf"
    other = Part.of(path, "text/plain", b"")
    with pytest.raises(Invalid, match="file_missing"):
        redact(parts_of(), "evidence/none", other, reason="x")
    with pytest.raises(Invalid, match="court_key_malformed"):
        redact(parts_of(), path, other, reason="x", court=b"short", sealed=tmp_path / "s")
    changed = [replace(each, open=lambda: io.BytesIO(b"new")) if each.path == path else each for each in parts_of()]
    with pytest.raises(Invalid, match="source_changed"):
        redact(changed, path, other, reason="x", court=bytes(COURT.public_key), sealed=tmp_path / "s")
    with pytest.raises(ValueError, match="path"):
        redact(parts_of(), path, Part.of("elsewhere", "text/plain", b""), reason="x")


class Dribble(io.BytesIO):
    """Gives a few bytes at a time, as a pipe does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7001 if size is None or size < 0 else min(size, 7001))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 5]), st.data())
def test_a_sealed_copy_comes_back_whole_or_not_at_all(size, data):
    original = bytes(size)
    sealed, opened = io.BytesIO(), io.BytesIO()
    assert seal(Dribble(original), bytes(COURT.public_key), sealed) == sha256(original).digest()
    assert unseal(Dribble(sealed.getvalue()), bytes(COURT), opened) == sha256(original).digest()
    assert opened.getvalue() == original
    spoiled = bytearray(sealed.getvalue())
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = sealed.getvalue()[: data.draw(st.integers(0, len(spoiled) - 1))]
    for wrong in (bytes(spoiled), cut, sealed.getvalue() + b"x"):
        with pytest.raises(Invalid, match="sealed_wrong"):
            unseal(io.BytesIO(wrong), bytes(COURT), io.BytesIO())
    with pytest.raises(Invalid, match="sealed_wrong"):
        unseal(io.BytesIO(sealed.getvalue()), bytes(PrivateKey.generate()), io.BytesIO())


def test_pieces_left_out_at_the_end_are_missed():
    sealed = io.BytesIO()
    seal(io.BytesIO(bytes(3 * PIECE)), bytes(COURT.public_key), sealed)
    whole = sealed.getvalue()
    with pytest.raises(Invalid, match="sealed_wrong"):
        unseal(io.BytesIO(whole[: -(PIECE + 17)]), bytes(COURT), io.BytesIO())


# ---- bags ------------------------------------------------------------------------------------------------------------


def test_a_bag_is_valid_for_the_library_that_others_use_and_the_bundle_comes_back_from_it(tmp_path):
    bundle, out = built(stampers=TWO)[1], io.BytesIO()
    bagit(io.BytesIO(bundle), out)
    bag = unpacked(out.getvalue(), tmp_path) / BUNDLE
    judge.Bag(str(bag)).validate()
    data = bag / "data"
    again = {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert repacked(again) == bundle
    (data / "evidence" / "001-listing" / "page.html").write_bytes(b"<p>real</p>\n")
    with pytest.raises(judge.BagValidationError):
        judge.Bag(str(bag)).validate()


def test_the_same_bundle_gives_the_same_bag():
    bundle = built()[1]
    first, second = io.BytesIO(), io.BytesIO()
    bagit(io.BytesIO(bundle), first)
    bagit(io.BytesIO(bundle), second)
    assert first.getvalue() == second.getvalue()


# ---- size ------------------------------------------------------------------------------------------------------------

BIG = 128 << 20  # bytes

STREAMING = """
import io, os, resource, sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from dataclasses import replace
from chopmark.evidence.bundle.bagit import bagit
from chopmark.evidence.bundle.build import Part, add_signature, build
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.bundle.redact import seal
from world.bundles import Scribble, manifest_of, parts_of

folder, size, digest = Path(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
big = folder / "big"
with big.open("wb") as file:
    file.truncate(size)
film = Part.of("evidence/003-film/film.mp4", "video/mp4", b"")
part = replace(film, size=size, sha256=digest, open=lambda: big.open("rb"))
parts = [*parts_of(), part]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with (folder / "bundle").open("w+b") as out:
    print(build(out, manifest_of(parts), parts, seal=Scribble(), stampers=()).size)
big.unlink()
with (folder / "bundle").open("rb") as bundle, (folder / "joined").open("w+b") as out:
    add_signature(bundle, out, Scribble(), ())
(folder / "bundle").unlink()
with (folder / "joined").open("rb") as bundle, open(os.devnull, "wb") as out:
    seal(Container(bundle).open(part.path), bytes(range(32)), out)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_file_is_never_held_in_memory(tmp_path):
    digest = hashlib.sha256()
    zeros = bytes(1 << 20)
    for _ in range(BIG >> 20):
        digest.update(zeros)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            STREAMING.format(tests=str(REPOSITORY / "tests")),
            str(tmp_path),
            str(BIG),
            digest.hexdigest(),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
    )
    assert done.returncode == 0, done.stderr
    size, grown = map(int, done.stdout.split())
    assert size > BIG
    assert grown < 24 << 10  # KiB; what is held is the manifest, META-INF and one chunk
    (tmp_path / "joined").unlink()
