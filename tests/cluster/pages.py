"""What the pages of the cluster answer."""

import base64
import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode


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


def with_password(address: str, password: str, user: str = "parcours") -> urllib.request.Request:
    """A request of a user."""
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return urllib.request.Request(address, headers={"Authorization": f"Basic {login}"})


class Browser:
    """A browser at Airflow's login page, as far as logging in and out goes."""

    def __init__(self, airflow: str) -> None:
        self.airflow, self.cookies = airflow, CookieJar()
        self._keeps = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def log_in(self, user: str, password: str) -> None:
        """Fill in the form."""
        form = self.text(f"{self.airflow}/auth/login/")
        (secret,) = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        self.text(f"{self.airflow}/auth/login/", {"username": user, "password": password, "csrf_token": secret})

    def log_out(self) -> None:
        """Press the button."""
        self.text(f"{self.airflow}/api/v2/auth/logout")

    def text(self, address: str, form: dict[str, str] | None = None) -> str:
        """What a page of any port answers to this browser; raises HTTPError when it refuses."""
        with self._keeps.open(address, urlencode(form).encode() if form else None, timeout=60) as answer:
            return str(answer.read().decode())

    def token(self) -> str:
        """The cookie by which Airflow knows it."""
        (found,) = [cookie.value for cookie in self.cookies if cookie.name == "_token"]
        return str(found)


def _direct() -> urllib.request.OpenerDirector:
    """A proxy set in the environment is for the outside."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
