"""What one worker process of the web server loads: the WSGI application, and an end when its server ends.

Until the server sets its own handlers, SIGTERM ends the process at once. Granian forks it with the handlers of the main
process, which in this one only set what nobody reads: a server told to stop while its workers load would wait for its
whole patience and then kill them.
"""

from __future__ import annotations

import signal

for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, signal.SIG_DFL)

from chopmark.site.supervisor import end_with_parent  # noqa: E402 (a signal may come at any moment)

end_with_parent()

from chopmark.site.wsgi import application  # noqa: E402 (loading takes a second; the watch must run before it)

__all__ = ["application"]
