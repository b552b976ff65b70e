"""What the pages of the cluster answer."""

import base64
import urllib.error
import urllib.request


def status_of(request: urllib.request.Request | str) -> int:
    """The HTTP status."""
    try:
        with _direct().open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def text_of(request: urllib.request.Request | str) -> str:
    """The content."""
    with _direct().open(request, timeout=30) as answer:
        return str(answer.read().decode())


def with_password(address: str, password: str) -> urllib.request.Request:
    """A request of the user `parcours`."""
    login = base64.b64encode(f"parcours:{password}".encode()).decode()
    return urllib.request.Request(address, headers={"Authorization": f"Basic {login}"})


def _direct() -> urllib.request.OpenerDirector:
    """A proxy set in the environment is for the outside."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
