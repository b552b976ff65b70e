"""Plain HTTP to servers of this machine; a proxy set in the shell is for the outside, not for them."""

import json
import urllib.error
import urllib.request
from typing import Any

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The server answered with an error status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"HTTP {status}: {detail}")
        self.status = status
        self.detail = detail


def call(
    url: str, method: str = "GET", body: dict[str, Any] | None = None, token: str | None = None, timeout: float = 30
) -> Any:
    """The decoded JSON of an answer (its text when it is not JSON).

    Raises Refused when the status is an error, OSError when nobody answers.
    """
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _direct.open(request, timeout=timeout) as answer:
            text = answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        raise Refused(error.code, _detail(error.read().decode("utf-8", "replace"))) from error
    try:
        return json.loads(text)
    except ValueError:
        return text


def answers(url: str) -> bool:
    """Whether the server answers the address with success now."""
    try:
        call(url, timeout=2)
    except (Refused, OSError):
        return False
    return True


def _detail(text: str) -> str:
    """The server's own sentence, where it sent one."""
    try:
        detail = json.loads(text).get("detail", text)
    except (ValueError, AttributeError):
        return text[:500]
    return detail if isinstance(detail, str) else json.dumps(detail)
