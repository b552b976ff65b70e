"""The REST API of a Spark standalone cluster's masters: submit a driver, ask after it, kill it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from parcours.errors import InputError, RetryableFault

# What a master knows of a driver; the last one is ours, for a driver that the master does not know.
RUNNING_STATES = ("SUBMITTED", "RUNNING", "RELAUNCHING", "UNKNOWN")
LOST = "NOT_FOUND"
STANDBY = "Current state is not alive"
PATIENCE_SECONDS = 10.0


class MastersUnavailable(RetryableFault):
    """No master answered as the leading one, and nothing was done: asking again later is safe."""


class AnswerBroken(RetryableFault):
    """A master broke off before it had answered: whether it did what was asked is not known."""


class SparkRest:
    """The masters of one cluster, `http://host:6066` each; the one that leads is found at every call."""

    def __init__(self, masters: Sequence[str], patience: float = PATIENCE_SECONDS) -> None:
        self.masters = tuple(masters)
        self._patience = patience

    async def submit(self, request: Mapping[str, Any]) -> str:
        """Start a driver; its id.

        Raises MastersUnavailable, AnswerBroken, or InputError when the master refuses the request.
        """
        answer = await self._ask("POST", "create", {"action": "CreateSubmissionRequest", **request})
        if not answer.get("success"):
            raise InputError(f"The Spark master refused the driver: {answer.get('message')}")
        return str(answer["submissionId"])

    async def state(self, driver: str) -> str:
        """The state of a driver, NOT_FOUND when the leading master does not know it.

        Raises MastersUnavailable, AnswerBroken.
        """
        answer = await self._ask("GET", f"status/{driver}")
        return str(answer.get("driverState") or LOST)

    async def kill(self, driver: str) -> None:
        """End a driver; one that ended before stays as it is. Raises MastersUnavailable, AnswerBroken."""
        await self._ask("POST", f"kill/{driver}")

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        import httpx

        refusals = []
        # Names of runs are not all ASCII, and a master reads with the characters of its machine: each is escaped.
        said = {} if body is None else {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
        # A proxy set in the environment is for the outside, not for the cluster.
        async with httpx.AsyncClient(timeout=self._patience, trust_env=False) as client:
            for master in self.masters:
                try:
                    found = await client.request(method, f"{master}/v1/submissions/{path}", **said)
                except httpx.ConnectError as error:
                    refusals.append(f"{master} does not answer ({error})")
                    continue
                except httpx.HTTPError as error:
                    raise AnswerBroken(f"The Spark master {master} broke off: {error!r}; try again.") from None
                answer = _content(master, found.text)
                if STANDBY not in str(answer.get("message")):
                    return answer
                refusals.append(f"{master} is not the leading one")
        raise MastersUnavailable(f"No Spark master leads now: {'; '.join(refusals)}. Start one, or try again.")


def _content(master: str, text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise InputError(f"{master} is not the REST API of a Spark master; is spark.master.rest.enabled true there?")
    return answer
