"""What a live model and a live embedder have in common: a client, a price, limits that they keep with others."""

from __future__ import annotations

from mlesearch.models.limits.place import CountersPlace
from mlesearch.models.limits.windows import Caps
from mlesearch.models.live.client import LiteLLMClient
from mlesearch.models.live.endpoint import Heard, ask
from mlesearch.models.live.keys import KEY_VARIABLES, KEYLESS, provider_of
from mlesearch.models.live.library import knows_provider
from mlesearch.models.live.params import LiveParams
from mlesearch.models.live.price_map import map_price
from mlesearch.models.price import Price
from mlesearch.types import ConfigError


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
        """See that its provider is known, and that there is a key, and the value of every secret header.

        Raises:
            ConfigError: one is missing; says what to write or which variable to export.
        """
        self._check_provider()
        self.params.key.check(self._client.owner)
        self.params.extras.check(self._client.owner)

    def ask_endpoint(self) -> Heard | None:
        """Ask the endpoint for its list of models, which costs nothing; None where that can't be asked for."""
        return ask(self.params)

    def _check_provider(self) -> None:
        """See that litellm knows whose model it is; asks it only where that is not plain from the prefix.

        Raises:
            ConfigError: it does not; says which prefix to write.
        """
        model = self.params.model
        if provider_of(model) in KEY_VARIABLES or provider_of(model) in KEYLESS or knows_provider(model):
            return
        raise ConfigError(
            f"{self._client.owner}: litellm does not know whose model {model!r} is; write openai/{model} for an "
            "OpenAI-compatible endpoint (its URL in api_base), or put another provider's prefix in front"
        )
