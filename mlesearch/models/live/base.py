"""What a live model and a live embedder have in common: a client, a price, limits that they keep with others."""

from __future__ import annotations

from mlesearch.models.limits.place import CountersPlace
from mlesearch.models.limits.windows import Caps
from mlesearch.models.live.client import LiteLLMClient
from mlesearch.models.live.params import LiveParams
from mlesearch.models.live.price_map import map_price
from mlesearch.models.price import Price


class LiveCaller:
    """Calls one model of a provider, or of an own endpoint.

    Args:
        owner: e.g. "model 'gpt-6-luna'", the start of every error.
        params: the model's.
        function: litellm's coroutine function, "acompletion" or "aembedding".
    """

    live = True

    def __init__(self, owner: str, params: LiveParams, function: str) -> None:
        self.params = params
        self._client = LiteLLMClient(owner, params, function)
        self._map_price: Price | None = None
        self._map_asked = False

    @property
    def price(self) -> Price | None:
        """Declared price, else that of litellm's map; an own endpoint has none but the declared one.

        The map is asked at the first reading, which imports litellm.
        """
        if self.params.price is not None or self.params.api_base is not None:
            return self.params.price
        if not self._map_asked:
            self._map_price = map_price(self.params.model)
            self._map_asked = True
        return self._map_price

    @property
    def caps(self) -> Caps:
        """The limits that it declares."""
        return self.params.caps

    def use_place(self, place: CountersPlace) -> None:
        """Keep to the limits together with other processes."""
        self._client.place = place

    def check(self) -> None:
        """See that there is a key, and the value of every secret header.

        Raises:
            ConfigError: there is none; says which variable to export.
        """
        self.params.key.check(self._client.owner)
        self.params.extras.check(self._client.owner)
