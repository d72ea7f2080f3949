"""A small SMTP server on loopback that keeps the mail it is given, or refuses it as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass(frozen=True)
class Mail:
    """One mail: the envelope, and the message as it was transmitted."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.data, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class Sink:
    """What arrived; `refusals` (such as "451 later") are answered to DATA in order before mail is accepted."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """For WATCHFLOOR_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}"


@contextmanager
def mail_sink() -> Iterator[Sink]:
    """A running sink on a free port of 127.0.0.1."""
    sink = Sink()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.sender, self.recipients = "", []
            self.say("220 sink")
            while line := self.rfile.readline():
                if not self.obey(line.strip().decode()):
                    return

        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def obey(self, line: str) -> bool:
            verb = line[:4].upper()
            if verb == "QUIT":
                self.say("221 bye")
                return False
            if verb in ("EHLO", "HELO"):
                self.say("250 sink")
            elif verb == "MAIL":
                self.sender = line.partition("<")[2].partition(">")[0]
                self.say("250 ok")
            elif verb == "RCPT":
                self.recipients.append(line.partition("<")[2].partition(">")[0])
                self.say("250 ok")
            elif verb == "DATA":
                self.take_data()
            else:
                self.say("250 ok")
            return True

        def take_data(self) -> None:
            if sink.refusals:
                self.say(sink.refusals.pop(0))
                return
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line[1:] if line.startswith(b"..") else line)
            sink.mails.append(Mail(self.sender, tuple(self.recipients), b"".join(lines)))
            self.say("250 taken")

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
