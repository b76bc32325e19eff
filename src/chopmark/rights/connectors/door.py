"""One office over HTTP: bounded, patient within limits, and told apart by who must act.

No redirect is followed: a key must not travel to another host. An answer is read up to a limit. `429` is obeyed for a
few seconds and then handed back; errors of the office's side are tried once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from chopmark.base.errors import Invalid, Refused, Unavailable

PATIENCE = 20.0  # seconds for one answer
MAX_ANSWER = 16 * 1024 * 1024
TRIES = 3
LONGEST_WAIT = 10.0  # seconds that a 429 is waited out in one call
SIMULATOR = "X-Chopmark-Simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an office said; `simulated` where the answer itself says that nobody official gave it."""

    body: bytes
    status: int
    simulated: bool


class Door:
    """Calls to one office.

    Args:
        office: for errors.
        wait: sleeps; given from outside so that tests need not.
    """

    def __init__(
        self, office: str, *, wait: Callable[[float], None] = time.sleep, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._office = office
        self._wait = wait
        self._client = httpx.Client(
            timeout=PATIENCE,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            headers={"User-Agent": "chopmark", "Accept-Encoding": "identity"},
        )

    def get(self, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None) -> Answer:
        """An answer of the office.

        Raises:
            Refused: `imports.office_has_none` for 404, `imports.office_key_wrong` for 401 and 403.
            Invalid: `imports.office_answer` for any other refusal, a redirect, or too many bytes.
            Unavailable: `imports.office_busy`, `imports.office_no_answer`.
        """
        return self._call("GET", url, headers=dict(headers), params=dict(params or {}))

    def post(self, url: str, form: Mapping[str, str]) -> Answer:
        """The same for a form that is sent."""
        return self._call("POST", url, data=dict(form))

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _call(self, method: str, url: str, **more: Any) -> Answer:  # noqa: ANN401  httpx's own arguments
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            try:
                response, body = self._read(method, url, more)
            except httpx.HTTPError:
                if attempt == TRIES:
                    raise Unavailable("imports.office_no_answer", office=self._office) from None
                continue
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                seconds = _seconds(response.headers.get("Retry-After", ""))
                if attempt == TRIES or waited + seconds > LONGEST_WAIT:
                    raise Unavailable("imports.office_busy", office=self._office, seconds=int(seconds) + 1)
                self._wait(seconds)
                waited += seconds
            elif response.status_code >= 500:
                if attempt == TRIES:
                    raise Unavailable("imports.office_no_answer", office=self._office)
            else:
                return self._judged(response, body)
        raise Unavailable("imports.office_no_answer", office=self._office)

    def _read(self, method: str, url: str, more: dict[str, Any]) -> tuple[httpx.Response, bytes]:
        body = bytearray()
        until = time.monotonic() + PATIENCE
        with self._client.stream(method, url, **more) as response:
            for piece in response.iter_raw():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise Invalid("imports.office_answer", office=self._office, status=response.status_code)
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("the answer came too slowly")
        return response, bytes(body)

    def _judged(self, response: httpx.Response, body: bytes) -> Answer:
        status = response.status_code
        if status == httpx.codes.NOT_FOUND:
            raise Refused("imports.office_has_none", office=self._office)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Refused("imports.office_key_wrong", office=self._office)
        if status != httpx.codes.OK:
            raise Invalid("imports.office_answer", office=self._office, status=status)
        return Answer(body=body, status=status, simulated=SIMULATOR in response.headers)


def _seconds(text: str) -> float:
    """What Retry-After asks for, in seconds; a date or nonsense is a minute."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 60.0
