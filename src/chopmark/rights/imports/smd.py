"""Signed marks of the Trademark Clearinghouse (RFC 7848): who signed what, and whether it still holds on a day.

Order of checks; the numbers appear again below:
 1 one encoded block, or the XML itself; the lines for people around it say the same as what is signed
 2 XML without document type, comments or processing instructions, of exactly the declared form (`xml`)
 3 the root is the signed mark, its children are those of RFC 7848 in their order, identifiers are unique
 4 the signature covers the root (and, where it says so, its own key information), and nothing else; algorithms by list
 5 the certificate was issued by a trusted root, for signing, and is valid on the day
 6 the root's revocation list is signed, current on the day, and does not name the certificate
 7 digests and signature hold (signxml), and the marks are read from the bytes that were verified, not from the file
 8 the day lies between `notBefore` and `notAfter`, and the clearing house has not revoked this signed mark

SHA-1 is accepted nowhere: the clearing house's public test set signs with RSA and SHA-256, its certificates and lists
with SHA-256 or SHA-512, so there is nothing that an exception would serve.
The attributes `Id` of `Signature` and `SignatureValue` are under no signature in this format; they are never read.
The revocation list of signed marks comes with an OpenPGP signature beside it, which the operator checks when he takes
it; here it is bytes that he trusts. Nothing is fetched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chopmark.base.errors import Invalid
from chopmark.rights.imports import fields, xml
from chopmark.rights.imports.fields import Notes
from chopmark.rights.imports.result import Imported, Signed
from chopmark.rights.record import Class, Designation, Identifier, Mark, Party, Record, Source, Text

if TYPE_CHECKING:
    from lxml import etree

MAX_BYTES = 1024 * 1024  # a signed mark has about 9 kB
SMD = "urn:ietf:params:xml:ns:signedMark-1.0"
MARK = "urn:ietf:params:xml:ns:mark-1.0"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
METHODS = frozenset(
    f"http://www.w3.org/2001/04/xmldsig-more#{name}-{digest}"
    for name in ("rsa", "ecdsa")
    for digest in ("sha256", "sha384", "sha512")
)
DIGESTS = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    }
)
HASHES = frozenset({"sha256", "sha384", "sha512"})
_SPACE = re.compile(r"[ \t\r\n]+")
_BLOCK = re.compile(
    rb"(?P<head>[^\x00]*?)-----BEGIN ENCODED SMD-----\r?\n(?P<body>[A-Za-z0-9+/=\r\n]+?)-----END ENCODED SMD-----\s*"
)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z", re.ASCII)
_OPENINGS = (b"", b'<?xml version="1.0" encoding="UTF-8"?>', b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>')


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedMarks:
    """The clearing house's list of signed marks that no longer count.

    Attributes:
        made_at: when the list was made.
        since: from when each is revoked, by number.
    """

    made_at: datetime
    since: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmdTrust:
    """Whom to believe: what the operator took from the clearing house.

    Attributes:
        roots: certificates in DER that may issue validators' certificates.
        crls: their revocation lists in DER.
        revoked: the list of revoked signed marks.
        list_days: how old that list may be.
    """

    roots: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    revoked: RevokedMarks
    list_days: int = 7


def is_one(data: bytes) -> bool:
    """Whether these bytes claim to be a signed mark."""
    head = data[: 64 * 1024]
    return b"-----BEGIN ENCODED SMD-----" in head or (b"signedMark-1.0" in head[:1024] and xml.looks_like(head))


def read(data: bytes, *, trust: SmdTrust | None, at: datetime | None) -> Imported:
    """The marks of a signed mark; judged where there is somebody to trust, and reported as unjudged where not.

    Raises:
        Invalid: as `judge` where it is judged; only the form (1-4) where not.
    """
    if trust is not None and at is not None:
        return judge(data, trust, at=at)
    document, head = unpacked(data)
    root = _parsed(document)
    _shape(root)
    imported = _content(root, document)
    _head_says_the_same(head, root)
    notes = Notes(where="file")
    notes.problem("imports.smd_unjudged")
    return Imported(
        format="rfc7848",
        records=imported.records,
        places=imported.places,
        problems=(*notes.problems, *imported.problems),
    )


def judge(data: bytes, trust: SmdTrust, *, at: datetime) -> Imported:
    """The marks of a signed mark that holds on a day.

    Raises:
        Invalid: `imports.xml_*` for what is no safe XML; `imports.smd_form`, `imports.smd_header`, `imports.smd_scope`,
            `imports.smd_algorithm` for its form; `imports.smd_issuer`, `imports.smd_certificate_expired`,
            `imports.smd_crl_stale`, `imports.smd_certificate_revoked` for who signed it; `imports.smd_signature` where
            it was altered; `imports.smd_not_current`, `imports.smd_list_stale`, `imports.smd_revoked` for the mark.
    """
    document, head = unpacked(data)  # 1
    root = _parsed(document)  # 2
    _shape(root)  # 3
    methods = _scope(root)  # 4
    certificate = _certificate(root, trust, at)  # 5, 6
    verified = _verified(root, certificate, methods)  # 7
    imported = _content(verified, document)
    _head_says_the_same(head, verified)
    _current(verified, trust, at)  # 8
    return Imported(
        format="rfc7848",
        records=imported.records,
        places=imported.places,
        problems=imported.problems,
        signed=Signed(
            id=_said(verified, "id"),
            sha256=hashlib.sha256(document).digest(),
            issuer=xml.text(verified, "issuerInfo", "org"),
            validator=certificate.subject.rfc4514_string(),
            not_before=_moment(_said(verified, "notBefore")),
            not_after=_moment(_said(verified, "notAfter")),
            judged_at=at,
            labels=tuple(_labels(verified)),
        ),
    )


def parse_revoked(data: bytes) -> RevokedMarks:
    """The clearing house's list (RFC 7848 calls it the SMD revocation list): version, columns, one signed mark a line.

    Raises:
        Invalid: `imports.smd_list_malformed` with the line.
    """
    lines = data.decode("ascii", "replace").splitlines()
    if len(lines) < 2 or lines[1] != "smd-id,insertion-datetime" or not lines[0].startswith("1,"):
        raise Invalid("imports.smd_list_malformed", line=1)
    since: dict[str, datetime] = {}
    try:
        made_at = _moment(lines[0][2:])
    except Invalid:
        raise Invalid("imports.smd_list_malformed", line=1) from None
    for number, line in enumerate(lines[2:], 3):
        name, _, moment = line.partition(",")
        if not re.fullmatch(r"\d+-\d+", name) or not _MOMENT.fullmatch(moment) or name in since:
            raise Invalid("imports.smd_list_malformed", line=number)
        since[name] = _moment(moment)
    return RevokedMarks(made_at=made_at, since=since)


def unpacked(data: bytes) -> tuple[bytes, str]:
    """The XML of a file, and the lines for people before its block.

    Raises:
        Invalid: `imports.smd_form`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("imports.smd_form", part="size")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"-----BEGIN" not in data:
        return data, ""
    match = _BLOCK.fullmatch(data)
    if match is None or b"-----BEGIN" in match["head"]:
        raise Invalid("imports.smd_form", part="block")
    try:
        head = match["head"].decode()
        return _base64(match["body"].decode("ascii")), head
    except UnicodeDecodeError:
        raise Invalid("imports.smd_form", part="block") from None


def _base64(text: str) -> bytes:
    """Bytes of base64 that prints back, white space apart."""
    bare = _SPACE.sub("", text)
    try:
        decoded = base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("imports.smd_form", part="base64") from None
    if base64.b64encode(decoded).decode() != bare:
        raise Invalid("imports.smd_form", part="base64")
    return decoded


def _parsed(document: bytes) -> etree._Element:
    opening = document.partition(b"<smd:signedMark")[0] if b"<smd:signedMark" in document else b""
    if opening.strip() not in _OPENINGS:
        raise Invalid("imports.smd_form", part="declaration")
    return xml.parse(document, keep_comments=True)


def _shape(root: etree._Element) -> None:
    """The root and its children as RFC 7848 orders them; nothing beside them, no comment, no identifier twice."""
    if root.tag != f"{{{SMD}}}signedMark" or set(root.attrib) != {"id"}:
        raise Invalid("imports.smd_form", part="root")
    if root.getprevious() is not None or root.getnext() is not None:
        raise Invalid("imports.smd_form", part="root")
    expected = [f"{{{SMD}}}{name}" for name in ("id", "issuerInfo", "notBefore", "notAfter")]
    if [child.tag for child in root] != [*expected, f"{{{MARK}}}mark", f"{{{DS}}}Signature"]:
        raise Invalid("imports.smd_form", part="children")
    _identifiers(root)
    if sum(1 for _ in root.iter(f"{{{DS}}}Signature")) != 1 or sum(1 for _ in root.iter(f"{{{SMD}}}signedMark")) != 1:
        raise Invalid("imports.smd_form", part="signature")


def _identifiers(root: etree._Element) -> None:
    """No identifier twice, however it is spelt; no comment, and no attribute of another namespace, such as `xml:id`."""
    seen: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            raise Invalid("imports.smd_form", part="comment")
        for name, value in element.attrib.items():
            if str(name).startswith("{"):
                raise Invalid("imports.smd_form", part="attribute")
            if str(name).lower() == "id":
                if value in seen:
                    raise Invalid("imports.smd_form", part="identifier")
                seen.add(str(value))


def _scope(root: etree._Element) -> tuple[str, frozenset[str], int]:
    """What the signature covers, and by which algorithms; all of it by list."""
    signature = root[-1]
    if [xml.local(child) for child in signature] != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        raise Invalid("imports.smd_scope", part="Signature")
    info, _, key = signature
    parts = [xml.local(child) for child in info]
    references = info[2:]
    if parts[:2] != ["CanonicalizationMethod", "SignatureMethod"] or not 1 <= len(references) <= 2:
        raise Invalid("imports.smd_scope", part="SignedInfo")
    canonical, method = info[0], info[1]
    if len(canonical) or canonical.get("Algorithm") != EXCLUSIVE:
        raise Invalid("imports.smd_algorithm", algorithm=str(canonical.get("Algorithm"))[:100])
    if len(method) or method.get("Algorithm") not in METHODS:
        raise Invalid("imports.smd_algorithm", algorithm=str(method.get("Algorithm"))[:100])
    wanted = [(f"#{root.get('id')}", [ENVELOPED, EXCLUSIVE]), (f"#{key.get('Id')}", [EXCLUSIVE])]
    digests = set()
    for reference, (uri, transforms) in zip(references, wanted, strict=False):
        if [xml.local(child) for child in reference] != ["Transforms", "DigestMethod", "DigestValue"]:
            raise Invalid("imports.smd_scope", part="Reference")
        if dict(reference.attrib) != {"URI": uri} or [t.get("Algorithm") for t in reference[0]] != transforms:
            raise Invalid("imports.smd_scope", part=str(reference.get("URI"))[:100])
        if any(len(transform) for transform in reference[0]):
            raise Invalid("imports.smd_scope", part="Transform")
        algorithm = str(reference[1].get("Algorithm"))
        if algorithm not in DIGESTS:
            raise Invalid("imports.smd_algorithm", algorithm=algorithm[:100])
        digests.add(algorithm)
    return str(method.get("Algorithm")), frozenset(digests), len(references)


def _certificate(root: etree._Element, trust: SmdTrust, at: datetime) -> x509.Certificate:
    """The validator's certificate, issued by a trusted root, for signing, valid and not revoked on the day."""
    key = root[-1][2]
    data = tuple(key)
    certificates = tuple(key.iter(f"{{{DS}}}X509Certificate"))
    if [xml.local(child) for child in data] != ["X509Data"] or len(certificates) != 1 or len(data[0]) != 1:
        raise Invalid("imports.smd_scope", part="KeyInfo")
    try:
        leaf = x509.load_der_x509_certificate(_base64(certificates[0].text or ""))
    except ValueError:
        raise Invalid("imports.smd_issuer") from None
    for der in trust.roots:
        issuer = x509.load_der_x509_certificate(der)
        if _issued(leaf, issuer):
            break
    else:
        raise Invalid("imports.smd_issuer")
    for certificate in (leaf, issuer):
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise Invalid("imports.smd_certificate_expired", until=certificate.not_valid_after_utc.date().isoformat())
    _not_revoked(leaf, issuer, trust, at)
    return leaf


def _issued(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether this root issued this certificate, and each may do what it does here."""
    try:
        leaf.verify_directly_issued_by(issuer)
        root_may = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        leaf_usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        leaf_ca = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound, x509.UnsupportedGeneralNameType):
        return False
    key, hashed = leaf.public_key(), leaf.signature_hash_algorithm
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048) or isinstance(key, ec.EllipticCurvePublicKey)
    may = root_may and usage.key_cert_sign and leaf_usage.digital_signature and not leaf_ca
    return may and strong and hashed is not None and hashed.name in HASHES


def _not_revoked(leaf: x509.Certificate, issuer: x509.Certificate, trust: SmdTrust, at: datetime) -> None:
    """A list of this root, signed by it, current on the day, that does not name the certificate; none is a refusal."""
    current = []
    for der in trust.crls:
        crl = x509.load_der_x509_crl(der)
        hashed = crl.signature_hash_algorithm
        if crl.issuer != issuer.subject or hashed is None or hashed.name not in HASHES:
            continue
        key = issuer.public_key()
        if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) or not crl.is_signature_valid(key):
            continue
        if any(extension.critical for extension in crl.extensions):
            continue  # a list of only some certificates, or of something unknown
        if crl.next_update_utc is not None and crl.last_update_utc <= at <= crl.next_update_utc:
            current.append(crl)
    if not current:
        raise Invalid("imports.smd_crl_stale")
    newest = max(current, key=lambda crl: crl.last_update_utc)
    entry = newest.get_revoked_certificate_by_serial_number(leaf.serial_number)
    if entry is not None and entry.revocation_date_utc <= at:
        raise Invalid("imports.smd_certificate_revoked", since=entry.revocation_date_utc.date().isoformat())


def _verified(
    root: etree._Element,
    certificate: x509.Certificate,
    methods: tuple[str, frozenset[str], int],
) -> etree._Element:
    """The root as it was signed, read anew from the very bytes under the signature."""
    from lxml import etree  # noqa: PLC0415 (loaded when a signature is checked)
    from signxml.algorithms import DigestAlgorithm, SignatureMethod  # noqa: PLC0415 (the same)
    from signxml.exceptions import SignXMLException  # noqa: PLC0415
    from signxml.verifier import SignatureConfiguration, XMLVerifier  # noqa: PLC0415

    method, digests, references = methods
    _base64(root[-1][1].text or "")
    config = SignatureConfiguration(
        location="./",
        expect_references=references,
        signature_methods=frozenset({SignatureMethod(method)}),
        digest_algorithms=frozenset(map(DigestAlgorithm, digests)),
    )
    try:
        results = XMLVerifier().verify(etree.tostring(root), x509_cert=certificate, expect_config=config)
    except (SignXMLException, InvalidSignature, ValueError, TypeError, etree.LxmlError):
        raise Invalid("imports.smd_signature") from None
    first = results[0] if isinstance(results, list) else results
    verified = xml.parse(bytes(first.signed_data), keep_comments=True)
    if verified.tag != root.tag or verified.get("id") != root.get("id") or len(verified) != len(root) - 1:
        raise Invalid("imports.smd_scope", part="signed")
    return verified


def _current(root: etree._Element, trust: SmdTrust, at: datetime) -> None:
    first, last = _moment(_said(root, "notBefore")), _moment(_said(root, "notAfter"))
    if not first <= at <= last:
        raise Invalid("imports.smd_not_current", first=first.date().isoformat(), last=last.date().isoformat())
    made_at = trust.revoked.made_at
    if not made_at <= at <= made_at + timedelta(days=trust.list_days):
        raise Invalid("imports.smd_list_stale", made=made_at.date().isoformat())
    since = trust.revoked.since.get(_said(root, "id"))
    if since is not None and since <= at:
        raise Invalid("imports.smd_revoked", since=since.date().isoformat())


def _head_says_the_same(head: str, root: etree._Element) -> None:
    """The lines for people before the block repeat what is signed (RFC 7848, section 2.4), or are not there."""
    if not head.strip():
        return
    said = {}
    for line in head.splitlines():
        name, colon, value = line.partition(": ")
        if line.strip() and (not colon or name in said):
            raise Invalid("imports.smd_header", name=name[:40])
        if line.strip():
            said[name] = value
    names = [xml.text(mark, "markName") for mark in _marks(root)]
    signed = {
        "Marks": ", ".join(names),
        "smdID": _said(root, "id"),
        "notBefore": _said(root, "notBefore"),
        "notAfter": _said(root, "notAfter"),
    }
    for name, value in said.items():
        if name == "U-labels":
            written = {label for label in value.split(", ") if label}
            shown = set(_labels(root))
            if not written <= shown | {_unicode(label) for label in shown} or len(written) != len(shown):
                raise Invalid("imports.smd_header", name=name)
        elif signed.get(name) != value:
            raise Invalid("imports.smd_header", name=name[:40])


def _unicode(label: str) -> str:
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def _content(root: etree._Element, document: bytes) -> Imported:
    """Each mark of the signed mark as a record of the office, court or statute that it stands on."""
    source = Source(
        format="rfc7848",
        sha256=hashlib.sha256(document).digest(),
        fetched_at=_moment(_said(root, "notBefore")),
    )
    records, places, problems = [], [], []
    for number, mark in enumerate(_marks(root), 1):
        notes = Notes(where=f"record {number}")
        readers = {"trademark": _trademark, "treatyOrStatute": _treaty, "court": _court}
        if xml.local(mark) not in readers or xml.namespace(mark) != MARK:
            raise Invalid("imports.smd_form", part=xml.local(mark)[:40])
        notes.raw["signed_mark"] = _said(root, "id")
        notes.raw["validated_as"] = xml.local(mark)
        notes.raw["mark_id"] = xml.text(mark, "id")
        record = readers[xml.local(mark)](mark, notes, source)
        problems += notes.problems
        if record is not None:
            records.append(record)
            places.append(notes.where)
    if not records:
        raise Invalid("imports.smd_form", part="mark")
    return Imported(format="rfc7848", records=tuple(records), places=tuple(places), problems=tuple(problems))


def _trademark(mark: etree._Element, notes: Notes, source: Source) -> Record | None:
    """A registered trade mark; its status is what the clearing house validated: registered."""
    codes = tuple(dict.fromkeys(filter(None, (notes.nice(code) for code in xml.texts(mark, "class")))))
    goods = tuple(Text(text=said) for said in xml.texts(mark, "goodsAndServices"))
    record = Record(
        kind="trademark",
        office=_office(xml.text(mark, "jurisdiction")),
        application_number=xml.text(mark, "apId"),
        registration_number=xml.text(mark, "regNum"),
        mark=Mark(verbal=xml.text(mark, "markName"), feature="unknown"),
        owners=_holders(mark, notes),
        representatives=_agents(mark),
        classes=tuple(Class(scheme="nice", code=code, goods=goods if len(codes) == 1 else ()) for code in codes),
        application_date=notes.day("application_date", xml.text(mark, "apDate")),
        registration_date=notes.day("registration_date", xml.text(mark, "regDate")),
        expiry_date=notes.day("expiry_date", xml.text(mark, "exDate")),
        status="registered",
        source=source,
    )
    if len(codes) != 1 and goods:
        notes.raw["goods"] = goods[0].text
    return fields.finish(record, notes, status="")


def _treaty(mark: etree._Element, notes: Notes, source: Source) -> Record | None:
    """A mark protected by treaty or statute: no office granted it, its reference is the statute's."""
    notes.raw["statute"] = xml.text(mark, "title")
    notes.raw["reference"] = xml.text(mark, "refNum")
    notes.raw["goods"] = xml.text(mark, "goodsAndServices")
    since = notes.day("registration_date", xml.text(mark, "proDate"))
    countries = xml.texts(mark, "protection", "cc") + xml.texts(mark, "protection", "ruling")
    record = Record(
        kind="trademark",
        registration_number=xml.text(mark, "refNum"),
        mark=Mark(verbal=xml.text(mark, "markName"), feature="unknown"),
        owners=_holders(mark, notes),
        representatives=_agents(mark),
        designations=tuple(
            Designation(territory=fields.territory_of(code), status="registered", since=since)
            for code in dict.fromkeys(countries)
        ),
        registration_date=since,
        status="registered",
        source=source,
    )
    return fields.finish(record, notes, status="")


def _court(mark: etree._Element, notes: Notes, source: Source) -> Record | None:
    """A mark validated by a court: its reference is the court's."""
    notes.raw["court"] = xml.text(mark, "courtName")
    notes.raw["reference"] = xml.text(mark, "refNum")
    notes.raw["goods"] = xml.text(mark, "goodsAndServices")
    if regions := xml.texts(mark, "region"):
        notes.raw["regions"] = ", ".join(regions)
    since = notes.day("registration_date", xml.text(mark, "proDate"))
    country = xml.text(mark, "cc").upper()
    record = Record(
        kind="trademark",
        registration_number=xml.text(mark, "refNum"),
        mark=Mark(verbal=xml.text(mark, "markName"), feature="unknown"),
        owners=_holders(mark, notes),
        representatives=_agents(mark),
        designations=(Designation(territory=country, status="registered", since=since),) if country else (),
        registration_date=since,
        status="registered",
        source=source,
    )
    return fields.finish(record, notes, status="")


def _office(jurisdiction: str) -> str:
    """The office of a jurisdiction: the same code, but for the European Union, whose office is EM."""
    return "EM" if jurisdiction.upper() == "EU" else jurisdiction.upper()


def _holders(mark: etree._Element, notes: Notes) -> tuple[Party, ...]:
    """Owners and assignees; a licensee is none, and is kept as what it is."""
    found = []
    for holder in xml.each(mark, "holder"):
        entitlement = xml.attribute(holder, "entitlement")
        organisation, person = xml.text(holder, "org"), xml.text(holder, "name")
        party = Party(
            name=organisation or person,
            also=(Text(text=person),) if organisation and person else (),
            country=xml.text(holder, "addr", "cc").upper(),
            person=not organisation,
        )
        if not party.name:
            continue
        if entitlement == "licensee":
            notes.raw["licensee"] = party.name
            notes.problem("imports.smd_licensee")
        else:
            found.append(party)
    return tuple(found)


def _agents(mark: etree._Element) -> tuple[Party, ...]:
    return tuple(
        Party(
            name=xml.text(contact, "org") or xml.text(contact, "name"),
            country=xml.text(contact, "addr", "cc").upper(),
            identifiers=(Identifier(scheme="contact", value="agent"),),
            person=not xml.text(contact, "org"),
        )
        for contact in xml.each(mark, "contact")
        if xml.attribute(contact, "type") == "agent"
    )


def _labels(root: etree._Element) -> list[str]:
    return [label for mark in _marks(root) for label in xml.texts(mark, "label")]


def _marks(root: etree._Element) -> list[etree._Element]:
    bag = root.find(f"{{{MARK}}}mark")
    return list(bag) if bag is not None else []


def _said(root: etree._Element, name: str) -> str:
    return xml.text(root, name)


def _moment(text: str) -> datetime:
    """An aware time of RFC 7848, which writes UTC.

    Raises:
        Invalid: `imports.smd_form`.
    """
    if not _MOMENT.fullmatch(text):
        raise Invalid("imports.smd_form", part="time")
    try:
        return datetime.fromisoformat(text.removesuffix("Z").split(".")[0]).replace(
            tzinfo=UTC, microsecond=int((text.removesuffix("Z").partition(".")[2] or "0").ljust(6, "0")[:6])
        )
    except ValueError:
        raise Invalid("imports.smd_form", part="time") from None
