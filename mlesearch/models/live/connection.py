"""What happened where no answer of a provider came: the names of faults below HTTP, and of answers that are none."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlesearch.models.live.wire import HttpAnswer

NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "gaierror"})
"""Names of classes that httpx and aiohttp raise where there was no connection."""

_CUT = frozenset({"RemoteProtocolError", "ReadError", "ServerDisconnectedError", "ClientPayloadError", "ClientOSError"})


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """What happened.

    Attributes:
        text: in a few words.
        advice: what to do.
        lasting: whether trying again is no use: what is wrong is the address.
    """

    text: str
    advice: str = ""
    lasting: bool = False


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it."""
    met: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in met:
        met.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__


def connection_fault(error: BaseException) -> NoAnswer | None:
    """What kept a request from its server, or cut the connection; None where it was something else."""
    chain = list(causes(error))
    names = {kind.__name__ for cause in chain for kind in type(cause).__mro__}
    text = " ".join(str(cause) for cause in chain).lower()
    for cause in chain:
        if isinstance(cause, socket.gaierror):
            return NoAnswer("unknown host", "correct the name in the URL, or see whether this machine is online")
        if isinstance(cause, ConnectionRefusedError):
            return NoAnswer("connection refused", "start the server, or correct host and port")
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = _verify_message(chain) or "it can't be verified"
            advice = "correct the host's name, or name its authority's file in SSL_CERT_FILE"
            return NoAnswer(f"the server's certificate is not trusted ({reason})", advice, lasting=True)
    if "wrong_version_number" in text or "wrong version number" in text or "record layer failure" in text:
        return NoAnswer("https was spoken to a server that speaks plain http", "write http:// in the URL", lasting=True)
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return NoAnswer("the TLS handshake failed", "correct the port, or write http:// in the URL", lasting=True)
    if names & {"ConnectTimeout", "ConnectionTimeoutError"}:
        return NoAnswer("no connection within the time limit", "see host, port, VPN and firewall")
    if names & {"ConnectError", "ClientConnectorError"}:
        return NoAnswer("no connection", "see host, port, VPN and firewall")
    if "BadStatusLine" in names:
        if "\\x15\\x03" in text or "\\x16\\x03" in text:
            return NoAnswer(
                "plain http was spoken to a server that speaks https", "write https:// in the URL", lasting=True
            )
        return NoAnswer("what answers there does not speak HTTP", "correct host and port", lasting=True)
    if names & _CUT or any(isinstance(cause, ConnectionError) for cause in chain):
        return NoAnswer("the server closed the connection before its answer was complete")
    return None


def _verify_message(chain: Sequence[BaseException]) -> str:
    """Why a certificate is not trusted: some clients' own exceptions of this kind lack it, and keep the system's."""
    inner = [getattr(cause, "certificate_error", None) for cause in chain]
    return next((said for cause in (*chain, *inner) if (said := getattr(cause, "verify_message", ""))), "")


def answer_fault(answer: HttpAnswer) -> NoAnswer | None:
    """Why an answer with a status of success can't be read; None where it can."""
    if not 200 <= answer.status < 300 or answer.readable:
        return None
    body = answer.body.lstrip()
    said = f"HTTP {answer.status}"
    url = "correct the URL (it ends with /v1 for most servers)"
    if not body:
        return NoAnswer(f"{said} with an empty body")
    if body[:1] == b"<" or "html" in answer.content_type:
        return NoAnswer(f"{said} with a web page (HTML) in place of an answer", url, lasting=True)
    if body[:5] == b"data:" or "event-stream" in answer.content_type:
        return NoAnswer(f"{said} with a stream of events that holds no whole answer")
    if answer.mended is not None:
        return NoAnswer(f"{said} with JSON that holds no answer", url)
    if body[:1] in b"{[":
        return NoAnswer(f"{said} with JSON that is cut off")
    return NoAnswer(f"{said} with something that is no JSON", url, lasting="json" not in answer.content_type)
