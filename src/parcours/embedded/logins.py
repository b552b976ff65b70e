"""Who may see the pages of a cluster: Airflow knows its users, so it is asked, and a yes is kept for a minute."""

import hashlib
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

from parcours.embedded import http

# Airflow's pages keep it in this cookie, and browsers send the cookies of a host to all its ports.
COOKIE = "_token"
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
YES_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
# What Airflow answers to a wrong login, a token that is forged, over or revoked, and a user who may not.
NO = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)


class Right(Enum):
    """What a user may do, by an address of Airflow that answers those only who may do it there."""

    SEE_WHAT_LEFT = "/api/v2/dags?limit=1"
    RUN_THE_PLATFORM = "/api/v2/connections?limit=1"


@dataclass
class Logins:
    """Asks the Airflow at this address, as the user whose cookie or password came with a request."""

    airflow: str
    now: Callable[[], float] = time.monotonic
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _let_in_until: dict[bytes, float] = field(default_factory=dict)

    def status(self, cookies: str, authorization: str, right: Right) -> HTTPStatus:
        """OK, FORBIDDEN for a known user who may see other pages only, UNAUTHORIZED for everybody else.

        Raises OSError when Airflow does not answer, http.Refused when it answers neither yes nor no.
        """
        given = _given(cookies, authorization)
        if any(self._may(one, right) for one in given):
            return HTTPStatus.OK
        known = right is not Right.SEE_WHAT_LEFT and any(self._may(one, Right.SEE_WHAT_LEFT) for one in given)
        return HTTPStatus.FORBIDDEN if known else HTTPStatus.UNAUTHORIZED

    def _may(self, given: str, right: Right) -> bool:
        mark = hashlib.blake2b(f"{right.name} {given}".encode(), key=self._key).digest()
        if self.now() < self._let_in_until.get(mark, float("-inf")):
            return True
        if not self._airflow_lets_in(given, right):
            return False
        now = self.now()
        still = {one: until for one, until in list(self._let_in_until.items()) if now < until}
        self._let_in_until = still | {mark: now + YES_SECONDS}
        return True

    def _airflow_lets_in(self, given: str, right: Right) -> bool:
        try:
            token = self._token(given)
            answer = http.call(f"{self.airflow}{right.value}", token=token, timeout=PATIENCE_SECONDS)
        except ValueError:  # no token, or no user and password
            return False
        except http.Refused as refusal:
            if refusal.status not in NO:
                raise
            return False
        return isinstance(answer, dict)

    def _token(self, given: str) -> str:
        """The token that came with a request, or one for its user and password."""
        kind, _, text = given.partition(" ")
        if kind == "Bearer" and TOKEN.fullmatch(text):
            return text
        if kind != "Basic":
            raise ValueError("neither a token nor a user and a password")
        user, _, password = b64decode(text, validate=True).decode().partition(":")
        login = {"username": user, "password": password}
        return str(http.call(f"{self.airflow}/auth/token", "POST", login, timeout=PATIENCE_SECONDS)["access_token"])


def _given(cookies: str, authorization: str) -> list[str]:
    """What a request shows of its user, each as a header `Authorization` says it."""
    pairs = [part.strip().partition("=") for part in cookies.split(";")]
    tokens = [f"Bearer {value}" for name, _, value in pairs if name == COOKIE]
    return [*tokens, authorization] if authorization else tokens
