"""What a store holds under one key: its fields, its value, and how both become bytes.

An entry has *fields*, which say what was asked, and a *value* with named byte strings, which say what came of it. Its
key is the sha256 of the fields. The bytes are compressed JSON with a checksum; nothing is ever unpickled, so a store
from elsewhere can't run anything.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlesearch.storage.codec import Json
from mlesearch.types import MlesearchError

MAGIC = b"mlesearch-entry-1\n"
MAX_BYTES = 900_000_000
"""Of one entry, compressed: what a database takes in one value."""
MAX_PLAIN_BYTES = 4 << 30
"""Of one entry, unpacked."""


class StoreError(MlesearchError):
    """The store can't be read or written."""


class StoreMiss(MlesearchError):
    """Nothing was stored under this key, and nothing may be done to find out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored under one key.

    Attributes:
        fields: what was asked, as plain JSON; all of it makes the key.
        value: what came of it, as plain JSON.
        blobs: byte strings that belong to the value, by name.
    """

    fields: Json
    value: Json
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of its fields."""
        return key_of(self.fields)


def key_of(fields: Mapping[str, object]) -> str:
    """sha256 of the canonical JSON of what was asked, as 64 hexadecimal digits."""
    return hashlib.sha256(_canonical(fields)).hexdigest()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def encode(entry: Entry) -> bytes:
    """An entry as the bytes that every form of a store holds.

    Raises:
        StoreError: they are more than MAX_BYTES.
    """
    names = sorted(entry.blobs)
    sizes = [[name, len(entry.blobs[name])] for name in names]
    head = _canonical({"fields": entry.fields, "value": entry.value, "blobs": sizes})
    compressed = zlib.compressobj(6)  # piece by piece: a file that a program left is in memory once, not twice
    pieces = [
        compressed.compress(part) for part in (struct.pack(">Q", len(head)), head, *(entry.blobs[n] for n in names))
    ]
    body = b"".join((*pieces, compressed.flush()))
    del pieces
    if len(body) > MAX_BYTES:
        raise StoreError(f"store: an entry of {len(body)} bytes is too large; at most {MAX_BYTES} can be kept")
    return b"".join((MAGIC, hashlib.sha256(body).digest(), body))


def decode(data: bytes, key: str) -> Entry:
    """Inverse of `encode`.

    Raises:
        StoreError: it is no entry, or not the one of this key, or damaged.
    """
    start = len(MAGIC) + 32
    body = data[start:]
    if data[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        raise StoreError(f"store: the entry {key} is damaged; remove it and record it again")
    try:
        unpacked = zlib.decompressobj()
        plain = memoryview(unpacked.decompress(body, MAX_PLAIN_BYTES))
        if not unpacked.eof:
            raise ValueError(f"it holds more than {MAX_PLAIN_BYTES} bytes")
        at = 8 + struct.unpack(">Q", plain[:8])[0]
        head = json.loads(bytes(plain[8:at]))
        blobs = {}
        for name, size in head["blobs"]:
            blobs[name] = bytes(plain[at : at + size])
            at += size
        entry = Entry(head["fields"], head["value"], blobs)
        found = entry.key
    except (ValueError, KeyError, TypeError, struct.error, zlib.error) as error:
        raise StoreError(f"store: the entry {key} can't be read: {error}; remove it and record it again") from error
    if found != key:
        raise StoreError(f"store: the entry {key} holds what belongs to {found}; remove it and record it again")
    return entry
