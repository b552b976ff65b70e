"""MLflow's server as this project runs it: its pages show model training, no assistant, and need no internet.

MLflow 3.17 has no setting for these: on a local address its assistant opens by itself and can run commands on the
server's machine, and the pages start with those about language models. Started as `uvicorn --factory
parcours.tracking.pages:without_logins` (or `:with_logins`).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# Answered here, so that nothing of the assistant runs.
ASSISTANT = "/ajax-api/3.0/mlflow/assistant"
# The assistant's button, the switch to the pages about language models, and their traces: nothing here makes any. The
# shade over the end of a long description, through which its links are clicked. Then the keys that MLflow's pages keep
# in the browser.
HEAD = """<style>
[data-assistant-ui], [tooltip-data-state]:has(> [role=button] + [role=button]), a[href*="/traces"],
[role=tab][id$="-trigger-evaluations"] { display: none !important; }
[data-testid="truncation-gradient"] { pointer-events: none; }
</style><script>
localStorage.setItem("mlflow.workflowType_v1", '"machine_learning"');
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
if (["", "#", "#/"].includes(location.hash)) location.replace("#/experiments");
</script>"""
NOTHING_FROM_OUTSIDE = (
    "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:"
)
# Of the page as MLflow has it on disk, which is not the page that leaves here.
REPLACED_HEADERS = (b"content-length", b"content-security-policy", b"cache-control", b"etag", b"last-modified")


def without_logins() -> Application:
    """The server of the embedded platform."""
    from mlflow.server.fastapi_app import app

    return model_training_pages(app)


def with_logins() -> Application:
    """The server of the cluster, which asks who one is (`mlflow server --app-name basic-auth`)."""
    from mlflow.server.auth import create_app

    return model_training_pages(create_app())


def model_training_pages(server: Application) -> Application:
    """The same server with its first page changed and the assistant gone."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(ASSISTANT):
            await _not_here(send)
        elif scope["type"] == "http" and path == "/":
            await server(_fresh(scope), receive, _changing(send))
        else:
            await server(scope, receive, send)

    return answer


async def _not_here(send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Switched off: this server tracks models."})


def _fresh(scope: Message) -> Message:
    """The request without what a browser knows of the page: MLflow would answer that its file has not changed."""
    known = (b"if-none-match", b"if-modified-since")
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in known]}


def _changing(send: Send) -> Send:
    """Send an answer whole, with HEAD before the page's scripts."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            page = bytes(body).replace(b"<head>", b"<head>" + HEAD.encode(), 1)
            kept = [pair for pair in start["headers"] if pair[0].lower() not in REPLACED_HEADERS]
            policy = (b"content-security-policy", NOTHING_FROM_OUTSIDE.encode())
            length = (b"content-length", str(len(page)).encode())
            await send({**start, "headers": [*kept, policy, length, (b"cache-control", b"no-store")]})
            await send({"type": "http.response.body", "body": page})

    return collect
