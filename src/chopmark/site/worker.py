"""What one worker process of the web server loads: the WSGI application, and an end when its server ends."""

from __future__ import annotations

from chopmark.site.supervisor import end_with_parent

end_with_parent()

from chopmark.site.wsgi import application  # noqa: E402 (loading takes a second; the watch must run before it)

__all__ = ["application"]
