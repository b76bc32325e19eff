"""The WSGI application that granian serves; refuses to start with wrong settings or without a secret key."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chopmark.site.settings")
application = get_wsgi_application()

from chopmark.site.checks import refuse_to_start  # noqa: E402 (reads the settings that the line above loads)

refuse_to_start()
