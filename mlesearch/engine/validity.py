"""Scores an ungraded task whose submissions a grading server finds valid or not: a server of MLE-bench's harness.

The protocol is that of MLE-bench's `environment/grading_server.py`: the file is posted to `/validate` as the form's
field `file`, and the answer is JSON with `result`, the message; it begins with "Submission is valid" where it is. No
score is ever told. A server that can't be reached is nobody's submission: the run stops, and goes on later.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from mlesearch.engine.scoring import own_score, submission_of
from mlesearch.storage.documents import VALIDATED, ValidityLine, read_validated
from mlesearch.storage.files import append_line
from mlesearch.tasks.grading import UNGRADED
from mlesearch.tasks.protocol import Grade, Scored, Task
from mlesearch.tasks.submission import read_bytes
from mlesearch.types import ExecResult, GraderUnavailable, MlesearchError, printable

VALID = "Submission is valid"
"""What the message of a valid submission begins with."""

TRIES, PAUSE_S = 3, 1.0
TIMEOUT_S = 900.0
MESSAGE_CHARS = 1000
"""How much of a server's message a search is shown."""

_BOUNDARY = "----mlesearch-submission-6d0f2c1b"


@dataclass(frozen=True, slots=True)
class ValidationServer:
    """A server that says whether a submission is valid.

    Attributes:
        url: of its `/validate`.
        timeout_s: for one answer.
    """

    url: str
    timeout_s: float = TIMEOUT_S

    def ask(self, submission: bytes) -> tuple[bool, str]:
        """Whether a submission is valid, and the server's message.

        Raises:
            GraderUnavailable: it can't be reached, or what answers is none.
        """
        problem = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE_S)
            try:
                with _opener().open(self._request(submission), timeout=self.timeout_s) as answer:
                    message = json.loads(answer.read())["result"]
                    if isinstance(message, str):
                        return message.startswith(VALID), message
                    problem = f"its result is {message!r}"
            except urllib.error.HTTPError as error:
                problem = f"it answers {error.code}"
                if error.code == http.client.INTERNAL_SERVER_ERROR:
                    return False, f"the grading server failed on it: {_details(error)}"
            except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
                problem = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        raise GraderUnavailable(
            f"{self.url}: no answer of a grading server ({printable(problem)}); start it, and run the same command "
            "again"
        )

    def _request(self, submission: bytes) -> urllib.request.Request:
        head = 'Content-Disposition: form-data; name="file"; filename="submission.csv"\r\nContent-Type: text/csv'
        body = f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + submission + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return urllib.request.Request(self.url, data=body, headers={"Content-Type": kind}, method="POST")


def _opener() -> urllib.request.OpenerDirector:
    """Without a proxy: the server is of this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _details(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["details"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(error)


@dataclass(frozen=True, slots=True)
class ServerScorer:
    """A `Scorer` of an ungraded task that asks a server.

    Attributes:
        task: ungraded.
        run: folder of the run, which keeps what the server said (validated.jsonl).
        server: None where a run is replayed without it.
        recorded: what it said of the run that this one replays.
        lock: programs on a sample are judged by several threads.
    """

    task: Task
    run: Path
    server: ValidationServer | None
    recorded: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def validation(self, result: ExecResult) -> Scored:
        """See `Scorer`: the program's own score, where the server finds its submission valid."""
        return own_score(result, self.submission_problem(result))

    def submission_problem(self, result: ExecResult) -> str:
        """See `Scorer`: the server's message."""
        submission, problem = submission_of(result)
        if submission is None:
            return problem
        data = read_bytes(submission, self.task.max_submission_bytes)
        if isinstance(data, str):
            return data
        said = self._said(data)
        return "" if said["valid"] else " ".join(said["message"].split())[:MESSAGE_CHARS] or "the server refuses it"

    def test(self, result: ExecResult) -> Grade:
        """See `Scorer`: nothing grades it."""
        return UNGRADED

    def _said(self, data: bytes) -> ValidityLine:
        """What the server says of a submission, asked once.

        Raises:
            GraderUnavailable: it can't be asked.
            MlesearchError: a replay finds no word of it.
        """
        digest = hashlib.sha256(data).hexdigest()
        with self.lock:
            known = read_validated(self.run).get(digest)
            if known is not None:
                return known
            if self.recorded is not None:
                line = read_validated(self.recorded).get(digest)
                if line is None:
                    raise MlesearchError(f"{self.task.id}: what the server said of this submission was not recorded")
            elif self.server is None:
                raise GraderUnavailable(f"{self.task.id}: no grading server is named (mlebench.validate_url)")
            else:
                valid, message = self.server.ask(data)
                line = {"submission": digest, "valid": valid, "message": printable(message)}
            append_line(self.run / VALIDATED, line)
            return line
