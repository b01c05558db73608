"""Says of programs whether this interpreter compiles them, one after the other; it runs none. Standard library only.

Started as a script with the path of a socket, where the interpreter that programs run in is another one than the
harness': each message is JSON with its length before it (`messages`), a program in, its fault out.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import warnings

SOURCE_CHARS = 200


def fault(program: str) -> str:
    """Why a program does not compile, in one line, as `mlesearch.operators.syntax` words it; empty where it does."""
    try:
        compile(program, "<program>", "exec", dont_inherit=True)
    except SyntaxError as e:
        where = f"line {e.lineno}" if e.lineno else "an unknown line"
        source = " ".join((e.text or "").split())[:SOURCE_CHARS]
        return f"{where}: {e.msg}" + (f": `{source}`" if source else "")
    except (ValueError, RecursionError, MemoryError, OverflowError) as e:
        return str(e) or type(e).__name__
    return ""


def serve(conn: socket.socket) -> None:
    """Answer until the other side has gone."""
    warnings.simplefilter("ignore")
    with conn, conn.makefile("rb") as incoming:
        while len(head := incoming.read(8)) == 8:
            program = json.loads(incoming.read(struct.unpack("=Q", head)[0]))["program"]
            answer = json.dumps({"fault": fault(program)}).encode()
            conn.sendall(struct.pack("=Q", len(answer)) + answer)


if __name__ == "__main__":
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    serve(connection)
