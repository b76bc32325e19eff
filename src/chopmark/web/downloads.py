"""How a file is named when somebody saves it: the name a depositor gave it, which is never trusted."""

from __future__ import annotations

from django.utils.http import content_disposition_header


def bare_name(name: str) -> str:
    """A file's name without any folder: whoever saves it decides where it lies."""
    return name.replace("/", "_").replace("\\", "_")


def attachment(name: str) -> str:
    """A Content-Disposition that saves under this name and never shows the file inside this site (RFC 6266)."""
    return content_disposition_header(as_attachment=True, filename=bare_name(name)) or "attachment"
