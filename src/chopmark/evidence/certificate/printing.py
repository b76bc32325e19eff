"""From facts to PDF/A-4f with Typst: the same bytes for the same facts.

PDF/A-4f, because it is PDF 2.0: the signature that comes behind (PAdES-B-LTA) makes a file PDF 2.0, which PDF/A-3 is
not. Fonts come from a package, never from the machine; Typst fetches nothing. A compiler belongs to one thread.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from importlib.resources import as_file, files
from typing import Any, Final

import segno
import typst
from pylopdf_fonts_zh_cn import sans_path

from chopmark.base import clock
from chopmark.base.errors import Fact
from chopmark.base.wording import say
from chopmark.evidence.certificate.glyphs import shown

STANDARD: Final = "a-4f"
BEIJING = timezone(timedelta(hours=8))

Both = dict[str, str]  # zh, en

_mine = threading.local()


def compiled(template: str, facts: Mapping[str, Any], at: datetime) -> bytes:
    """A template of this package filled with facts.

    Args:
        template: `deposit` or `bundle`.
        facts: JSON values; all text already in characters that can be printed.
        at: stands as the time of creation in the file.
    """
    inputs = {"facts": json.dumps(facts, ensure_ascii=False, sort_keys=True)}
    pdf = _compiler(template).compile(
        format="pdf", sys_inputs=inputs, pdf_standards=[STANDARD], timestamp=clock.to_seconds(at)
    )
    if not isinstance(pdf, bytes):
        raise TypeError("one document is one sequence of bytes")
    return pdf


def _compiler(template: str) -> typst.Compiler:
    mine: dict[str, typst.Compiler] = _mine.__dict__
    if template not in mine:
        with as_file(files(__package__)) as folder:
            mine[template] = typst.Compiler(
                str(folder / f"{template}.typ"),
                root=str(folder),
                font_paths=[str(sans_path().parent)],
                ignore_system_fonts=True,
            )
    return mine[template]


def sentence(code: str, **facts: Fact) -> Both:
    """A sentence of the wording catalogue in both languages."""
    return {"zh": shown(say(code, facts, "zh")), "en": shown(say(code, facts, "en"))}


def moment(at: datetime) -> dict[str, str]:
    """A time as both readers write it."""
    return {"utc": utc(at), "beijing": f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"}


def utc(at: datetime | None) -> str:
    """A time in UTC without the letters, or a dash."""
    return clock.to_text(at)[:-1].replace("T", " ") if at is not None else "—"


def document(title: str, operator: str, description: str, at: datetime) -> dict[str, Any]:
    """The file's own description."""
    return {"title": title, "author": operator, "description": description, "date": [at.year, at.month, at.day]}


def code_to_scan(address: str) -> dict[str, str]:
    """A QR code of an address, drawn, with the words for who cannot see it."""
    drawing = io.BytesIO()
    segno.make(address, error="m").save(drawing, kind="svg", border=2, xmldecl=False, light="#fff")
    return {
        "svg": drawing.getvalue().decode(),
        "alt": f"二维码 QR code: {address}",
        "url": address,
        "address": shown(address),
    }
