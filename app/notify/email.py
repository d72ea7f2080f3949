"""Mail through the operator's server (WATCHFLOOR_SMTP_URL): smtp:// with STARTTLS where offered, or smtps://."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from app.clock import utc_now
from app.errors import DeliveryError, InvalidInput
from app.notify.base import Message, Outbound
from app.notify.render import mail_html, mail_text, subject

TIME_LIMIT_S: Final = 10
MOST_RECIPIENTS: Final = 50
# Narrower than RFC 5322: no quoting, no comments, nothing that could end a header or a command.
ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Email:
    """Config: {"to": [addresses]}."""

    kind = "email"
    needs_secret = False

    def check(self, config: Mapping[str, Any], outbound: Outbound) -> dict[str, Any]:
        """The recipients; raises InvalidInput for what is not plainly an address."""
        recipients = config.get("to")
        if isinstance(recipients, str):
            recipients = [recipients]
        if not isinstance(recipients, list) or not recipients or set(config) != {"to"}:
            raise InvalidInput("config", "an email channel has a list `to` of addresses and nothing else")
        if len(recipients) > MOST_RECIPIENTS:
            raise InvalidInput("config.to", f"has more than {MOST_RECIPIENTS} addresses")
        for address in recipients:
            if not isinstance(address, str) or not ADDRESS.fullmatch(address):
                raise InvalidInput("config.to", "has an entry that is not a mail address")
        return {"to": list(recipients)}

    def send(self, message: Message, config: Mapping[str, Any], secret: str, outbound: Outbound) -> str:
        """Hand one mail to the server; a recipient that it refuses fails the delivery only if it refuses all."""
        if not outbound.smtp_url:
            raise DeliveryError("no mail server is set (WATCHFLOOR_SMTP_URL)", permanent=True)
        mail = compose(message, config["to"], outbound.smtp_from)
        try:
            with _connect(outbound.smtp_url) as server:
                refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise DeliveryError(
                f"the mail server refuses all recipients ({codes[0]})", permanent=min(codes) >= 500
            ) from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(
                f"the mail server answers {error.smtp_code}", permanent=error.smtp_code >= 500
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"the mail server failed: {type(error).__name__}", permanent=False) from None
        return f"accepted, {len(refused)} recipients refused" if refused else "accepted"


def compose(message: Message, recipients: list[str], sender: str) -> EmailMessage:
    """The mail; its Message-ID is made of the delivery's key, so a second try of the same is the same mail."""
    mail = EmailMessage()
    mail["Subject"] = subject(message)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9.-]', '-', message.key)}@watchfloor>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Watchfloor-Key"] = message.key
    mail.set_content(mail_text(message))
    mail.add_alternative(mail_html(message), subtype="html")
    return mail


def _connect(url: str) -> smtplib.SMTP:
    """A signed-in connection; the password never goes over an open line."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    tls = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIME_LIMIT_S, context=tls)
        is_closed_line = True
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIME_LIMIT_S)
        server.ehlo()
        is_closed_line = server.has_extn("starttls")
        if is_closed_line:
            server.starttls(context=tls)
            server.ehlo()
    if parts.username:
        if not is_closed_line and host not in LOOPBACK:
            server.close()
            raise DeliveryError("the mail server offers no TLS, so the password is not sent", permanent=True)
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server
