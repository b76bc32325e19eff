"""XML from strangers, read without any of what makes XML dangerous.

Refused before the parser sees anything: document type declarations and with them every entity, external or nested;
encodings other than a short list, so that the bytes looked at are the text that is parsed; too many bytes or elements.
The parser then resolves no entity, opens no file and no connection, and stops at 256 levels.
Readers never see comments or processing instructions, except the one that judges signatures, which refuses them.

It does not validate against a schema: offices extend theirs, and what a reader needs it asks for by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chopmark.base.errors import Invalid
from chopmark.rights.imports.plain import folded

if TYPE_CHECKING:
    from lxml import etree

MAX_BYTES = 64 * 1024 * 1024
MAX_ELEMENTS = 2_000_000  # and as many attributes: counted in the text before parsing, they take 700 MB at most
_ENCODINGS = frozenset(
    {"utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "gb2312", "gbk", "gb18030", "big5"}
    | {"euc-jp", "shift_jis", "euc-kr", "utf-16"}
)
_DECLARATION = re.compile(
    r"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')(?:\s+encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["'])?"""
    r"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
_FORBIDDEN = ("DOCTYPE", "ENTITY", "ELEMENT", "ATTLIST", "NOTATION")


def looks_like(head: bytes) -> bool:
    """Whether these first bytes may be XML."""
    text = head[:512]
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.replace(b"\x00", b"")[2:]
    return text.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def parse(data: bytes, *, keep_comments: bool = False) -> etree._Element:
    """The root element.

    Raises:
        Invalid: `imports.xml_too_large`, `imports.xml_encoding`, `imports.xml_dtd`, or `imports.xml_malformed` with the
            line.
    """
    from lxml import etree  # noqa: PLC0415 (loaded when a file is read)

    if len(data) > MAX_BYTES:
        raise Invalid("imports.xml_too_large", megabytes=MAX_BYTES // 1024 // 1024)
    text = decoded(data)
    if _declares(text):
        raise Invalid("imports.xml_dtd")
    if text.count("<") - text.count("</") > MAX_ELEMENTS or text.count("=") > MAX_ELEMENTS:
        raise Invalid("imports.xml_too_large", megabytes=MAX_BYTES // 1024 // 1024)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=not keep_comments,
        remove_pis=not keep_comments,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise Invalid("imports.xml_malformed", line=error.lineno or 0) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Invalid("imports.xml_dtd")
    return root


def _declares(text: str) -> bool:
    """Whether a declaration of a document type stands anywhere, be it in a comment."""
    place = text.find("<!")
    while place >= 0:
        if text[place + 2 : place + 10].upper().startswith(_FORBIDDEN):
            return True
        place = text.find("<!", place + 2)
    return False


def decoded(data: bytes) -> str:
    """The text, by byte order mark or declaration, without either.

    Raises:
        Invalid: `imports.xml_encoding`.
    """
    declared = ""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        declared = "utf-16"
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not declared:
        match = _DECLARATION.match(data[:200].decode("latin-1"))
        if match is None and data[:200].lstrip().startswith(b"<?xml"):
            raise Invalid("imports.xml_encoding", encoding="")
        declared = ((match and match[1]) or "utf-8").lower()
    if declared not in _ENCODINGS:
        raise Invalid("imports.xml_encoding", encoding=declared[:40])
    try:
        text = data.decode(declared)
    except UnicodeDecodeError:
        raise Invalid("imports.xml_encoding", encoding=declared) from None
    match = _DECLARATION.match(text)
    return text[match.end() :] if match else text


def at(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant by local names, one level each; None where there is none."""
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren("{*}" + name), None)
    return element


def each(element: etree._Element | None, *path: str) -> Iterator[etree._Element]:
    """Every descendant by local names, one level each, in order."""
    if element is None:
        return
    if len(path) == 1:
        yield from element.iterchildren("{*}" + path[0])
        return
    for child in element.iterchildren("{*}" + path[0]):
        yield from each(child, *path[1:])


def text(element: etree._Element | None, *path: str) -> str:
    """The text of the first such descendant, spaces at its ends and runs of white space folded; empty for none."""
    found = at(element, *path)
    if found is None or found.text is None:
        return ""
    return folded(found.text)


def texts(element: etree._Element | None, *path: str) -> tuple[str, ...]:
    """The texts of every such descendant that says something."""
    return tuple(said for found in each(element, *path) if (said := folded(found.text or "")))


def local(element: etree._Element) -> str:
    """The name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def namespace(element: etree._Element) -> str:
    """The namespace, empty for none."""
    return str(element.tag).rpartition("}")[0].removeprefix("{")


def attribute(element: etree._Element, name: str) -> str:
    """An attribute by local name, empty for none."""
    return next(
        (folded(str(value)) for key, value in element.attrib.items() if str(key).rpartition("}")[2] == name), ""
    )
