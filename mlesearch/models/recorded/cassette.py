"""A store of recorded calls: a call is made once and found again (record), or found and never made (replay).

It also holds metadata of models and embedders: what they said of themselves when they were recorded.
"""

from __future__ import annotations

from collections.abc import Callable

from mlesearch.models.recorded.single_flight import SingleFlight
from mlesearch.storage.codec import Json
from mlesearch.storage.entry import Entry, StoreMiss
from mlesearch.storage.store import Store, nearest
from mlesearch.types import ConfigError

MODES = ("live", "record", "replay")


class Cassette:
    """A store of recorded calls.

    Args:
        store: where entries are.
        mode: record or replay.
        single_flight: of this store, for record.
    """

    def __init__(self, store: Store, mode: str, single_flight: SingleFlight) -> None:
        self.store = store
        self.mode = mode
        self._single_flight = single_flight

    @property
    def replays(self) -> bool:
        """Whether nothing may be called."""
        return self.mode == "replay"

    def value(self, fields: Json, call: Callable[[], Json]) -> Json:
        """The stored value of a key; to record, that of calling now.

        Raises:
            StoreMiss: to replay, and it was not recorded; names the nearest stored key and what differs.
        """
        key, near = Entry(fields, {}).key, str(fields["address"])
        found = self.store.get(key)
        if found is not None:
            return found.value
        if self.replays:
            raise StoreMiss(f"replay of {near}: not recorded; {nearest(self.store, fields, near)}")
        with self._single_flight.alone(key):
            found = self.store.get(key)
            if found is None:
                found = self.store.put(Entry(fields, call()), near)
        return found.value

    def metadata(self, fields: Json) -> Json | None:
        """What is kept of a model or an embedder; None: nothing yet, and this is no replay.

        Raises:
            ConfigError: to replay, and none like this was recorded.
        """
        found = self.store.get(Entry(fields, {}).key)
        if found is None and self.replays:
            kind = str(fields["kind"])
            raise ConfigError(f"cassette: no such {kind} was recorded: {nearest(self.store, fields, kind)}")
        return None if found is None else found.value

    def keep_metadata(self, fields: Json, metadata: Json) -> None:
        """Keep what a model or an embedder says of itself, where nothing is kept yet."""
        if self.metadata(fields) is None:
            self.store.put(Entry(fields, metadata), str(fields["kind"]))

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def check_mode(mode: str) -> None:
    """Refuse an unknown mode.

    Raises:
        ConfigError: names those that there are.
    """
    if mode not in MODES:
        raise ConfigError(f"cassette: {mode!r} is no mode; there are: {', '.join(MODES)}")
