"""Data without answers, a stub model whose programs get better, and a stand-in for the harness's grading server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from mlesearch.testing.openai_stub import Answer

ROWS = 5_000
"""Of the sample submission: a half-written file would be seen."""

PROGRAM = """
import time
sample = open("input/{sample}").read().split()
time.sleep({sleep_s})
with open("submission.csv", "w") as file:
    file.write(sample[0] + "\\n")
    file.writelines(line.split(",")[0] + ",{number}\\n" for line in reversed(sample[1:]))
print("validation_score:", 1 / ({number} + 1))
"""


def write_data(folder: Path, rows: int = ROWS, sample: str = "sample_submission.csv") -> Path:
    """A folder of data with labels for a hundred rows, and a sample submission with the ids in no order."""
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("id,x,y\n" + "".join(f"{i},{i % 7},{i % 5}.5\n" for i in range(100)))
    ids = [(i * 7919) % rows + 1000 for i in range(rows)]
    (folder / "test.csv").write_text("id,x\n" + "".join(f"{i},{i % 7}\n" for i in sorted(ids)))
    (folder / sample).write_text("id,y\n" + "".join(f"{i},0.0\n" for i in ids))
    (folder / "description.md").write_text("Predict `y` of each row.\n")
    return folder


def better_and_better(
    sample: str = "sample_submission.csv", sleep_s: float = 0.0
) -> Callable[[Mapping[str, Any]], Answer]:
    """Replies with a program each, whose score (lower is better) beats all before; its predictions are its number."""
    numbers = count()
    lock = threading.Lock()

    def reply(body: Mapping[str, Any]) -> Answer:
        with lock:
            number = next(numbers)
        program = PROGRAM.format(sample=sample, sleep_s=sleep_s, number=number)
        size = len(json.dumps(body["messages"]))
        return Answer(f"A plan.\n\n```python{program}```\n", size // 4, 100)

    return reply


def prediction(submission: Path, sample: Path) -> int | None:
    """The number of the program that wrote a whole, valid submission; None where there is no file.

    Raises:
        AssertionError: it is torn, lacks rows, mixes programs, or is in another order than the sample.
    """
    try:
        text = submission.read_text()
    except FileNotFoundError:
        return None
    lines, wanted = text.splitlines(), sample.read_text().splitlines()
    assert text.endswith("\n")
    assert lines[0] == wanted[0]
    assert [line.split(",")[0] for line in lines] == [line.split(",")[0] for line in wanted]
    (number,) = {line.split(",")[1] for line in lines[1:]}
    return int(number)


@dataclass
class GradingServer:
    """Answers as MLE-bench's grading server does; in a with statement.

    Attributes:
        judge: what it says of a submission: a message, or a status and a body.
        seen: the submissions that were posted.
    """

    judge: Callable[[str], str | tuple[int, Mapping[str, object]]]
    seen: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Of `/validate`."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/validate"

    def __enter__(self) -> GradingServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
                part = body.split(b"--" + boundary)[1]
                head, _, content = part.partition(b"\r\n\r\n")
                assert b'name="file"' in head
                assert self.path == "/validate"
                outer.seen.append(content.removesuffix(b"\r\n").decode())
                said = outer.judge(outer.seen[-1])
                status, answer = said if isinstance(said, tuple) else (200, {"result": said})
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
