"""The platform's seal for certificates that somebody asks for (`CHOPMARK_PDF_SEAL`), and who stamps its bundles."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from chopmark.base.errors import Invalid
from chopmark.evidence.sealing import FOLDER, Seal
from chopmark.ledger.anchor import RFC3161
from chopmark.site.anchors import services
from chopmark.site.config import read_config
from chopmark.site.jobs import Stamper


def seal_pdf(pdf: bytes) -> bytes:
    """The PDF with the seal and, where there is a time-stamp authority, what keeps the seal readable for long.

    Raises:
        Refused: `bundle.seal_missing` before `chopmark init` or the first worker made one; what `Seal.sign_pdf` raises.
        Unavailable: when an authority does not answer.
        Invalid: `site.settings_wrong`.
    """
    return Seal.load(Path(settings.CHOPMARK_HOME) / FOLDER, stampers()).sign_pdf(pdf)


def stampers() -> list[Stamper]:
    """The time-stamp authorities of the settings.

    Raises:
        Invalid: `site.settings_wrong`; what `anchors.services` raises.
    """
    config, problems = read_config()
    if problems:
        raise Invalid("site.settings_wrong", problems=[f"{each.message} ({each.hint})" for each in problems])
    return [Stamper(service=each) for each in services(config) if each.kind == RFC3161]
