"""The way of a mail to a person. What the mail server surely refused may be sent again; what may have gone may not."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from chopmark.base.errors import Unavailable


def post(to: str, subject: str, body: str) -> None:
    """Hand one mail to the mail server.

    Raises:
        Unavailable: `people.mail_unreachable` when no server answered, `people.mail_refused` when it said no: in both
            cases nothing went out; `people.mail_unsure` when the line broke in between.
    """
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable("people.mail_unreachable") from error
    message = EmailMessage(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [to], connection=connection)
    message.extra_headers["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
    try:
        message.send()
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        raise Unavailable("people.mail_refused") from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable("people.mail_unsure") from error
    finally:
        _close(connection)


def _close(connection: BaseEmailBackend) -> None:
    """A server that hangs up at the goodbye has the mail all the same."""
    try:
        connection.close()
    except (OSError, smtplib.SMTPException):
        return
