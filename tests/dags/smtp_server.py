"""A real mail server for tests: takes every mail on a free port of this machine and keeps it."""

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks SMTP on 127.0.0.1; `mails` are those it took, in their order."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[EmailMessage] = []

    @property
    def connection(self) -> str:
        """Its address as an Airflow connection."""
        return f"smtp://127.0.0.1:{self.server_address[1]}/?disable_ssl=true&disable_tls=true"

    def about(self, words: str, after: int = 0) -> list[str]:
        """The bodies of the mails with these words in their subject, but for so many first ones."""
        found = [mail for mail in self.mails[after:] if words in str(mail["Subject"])]
        return [body.get_content() for mail in found if (body := mail.get_body(("html",)))]


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            command = line.split()[0].upper()
            if command == "QUIT":
                self._say("221 bye")
                return
            if command == "DATA":
                self._say("354 go on")
                self._take()
            self._say("250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()).rstrip(b"\r\n") != b".":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.server.mails.append(mail)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server that runs in a thread of its own."""
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
