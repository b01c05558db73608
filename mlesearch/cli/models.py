"""A call of one token that says whether a model answers, and what else is to be known of it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable

from mlesearch.analysis.text import plural
from mlesearch.config.settings import ModelSettings, Settings, role_settings
from mlesearch.models.price import Price, price_fields
from mlesearch.models.protocol import Address, EmptyReply, Message, Model, Request, Sampling
from mlesearch.types import NANODOLLARS, ConfigError, ModelUnavailable, Op

CHECK_DEADLINE_S = 60.0
WARN_DAYS = 180


def check(m: ModelSettings, make: Callable[[ModelSettings], Model], today: datetime.date) -> tuple[bool, list[str]]:
    """Whether a model answers, and what to know of it.

    Args:
        m: its settings.
        make: from settings to the model.
        today: for its retirement.

    Returns:
        Whether a call of one token was answered; then a line that says so or why not, and warnings. The call is made
        only where the endpoint, asked for nothing, does not refuse.
    """
    try:
        model = make(m)
        model.check()
    except ConfigError as e:
        return False, [f"{m.name}: {e}"]
    heard = ask_endpoint(model)
    if heard is not None and not heard[0]:
        answered, line, warnings = False, f"{m.name}: {heard[1]}", []
    else:
        answered, line = _call(m.name, model)
        warnings = ["" if heard is None else heard[1]]
    warnings.append(retirement(m, today))
    if m.kind == "litellm":
        warnings += _against_map(m, model.price)
    return answered, [line, *(f"  {text}" for text in warnings if text)]


def ask_endpoint(model: Model) -> tuple[bool, str] | None:
    """Whether a model's endpoint answers a request that costs nothing, and what it says; None: it can't be asked."""
    ask = getattr(model, "ask_endpoint", None)
    heard = None if ask is None else ask()
    return None if heard is None else (heard.answers, heard.text)


def ask_endpoints(cells: Iterable[Settings], make: Callable[[ModelSettings], Model]) -> list[tuple[bool, str]]:
    """Ask the endpoints of all models of a launch, each once, for nothing.

    Args:
        cells: of the launch; those that replay a cassette call nobody.
        make: from settings to the model.

    Returns:
        For each that says something: whether calls may be sent to it, and a line.
    """
    models: dict[str, ModelSettings] = {}
    for s in cells:
        if s.cassette != "replay":
            for m in (s.model, *map(role_settings, s.model.roles.values())):
                models.setdefault(json.dumps([m.kind, m.params], sort_keys=True, default=str), m)
    found = ((m, ask_endpoint(make(m))) for m in models.values())
    return [(heard[0], f"model {m.name!r}: {heard[1]}") for m, heard in found if heard is not None and heard[1]]


def _call(name: str, model: Model) -> tuple[bool, str]:
    messages = (Message("user", "Answer with one word: ready?"),)
    request = Request(messages, Sampling(max_tokens=1), Address("check", 0, 0, Op.REVIEW), 0, CHECK_DEADLINE_S)
    try:
        reply = model.complete(request)
    except EmptyReply as e:  # one token may be too few for a word
        return True, f"{name}: answers ({_cost(e.usage.cost_nusd)}), without a text within one token"
    except ModelUnavailable as e:
        return False, f"{name}: {e}"
    dropped = f"; it does not take {', '.join(reply.dropped)}" if reply.dropped else ""
    seconds = reply.usage.service_us / 1e6
    return True, f"{name}: answers as {reply.model} after {seconds:.1f} s ({_cost(reply.usage.cost_nusd)}){dropped}"


def _cost(nusd: int | None) -> str:
    return "at an unknown price" if nusd is None else f"USD {nusd / NANODOLLARS:.7f}"


def retirement(m: ModelSettings, today: datetime.date) -> str:
    """A warning where a model is retired soon or was already, by its file or by litellm's map; else empty.

    Raises:
        ConfigError: the date in the file is none.
    """
    dates = [m.retires] if m.retires else []
    if m.kind == "litellm":
        from mlesearch.models.live.price_map import map_entry

        dates += [str(map_entry(str(m.params.get("model"))).get("deprecation_date") or "")]
    try:
        found = sorted(datetime.date.fromisoformat(d) for d in dates if d)
    except ValueError:
        raise ConfigError(f"model.retires: {m.retires!r} is no date of the form 2026-12-31") from None
    if not found or (found[0] - today).days > WARN_DAYS:
        return ""
    left = (found[0] - today).days
    when = (
        f"in {plural(left, 'day')}: runs that are not finished by then can't be"
        if left > 0
        else "so it may answer no more"
    )
    return f"warning: retired on {found[0]}, {when}"


def _against_map(m: ModelSettings, price: Price | None) -> list[str]:
    """Where the price that would be used is unknown, or another than the installed map's."""
    from mlesearch.models.live.price_map import map_price, map_version

    if price is None:
        return ["warning: its price is unknown, so no budget in USD can be kept; add a price to model.params"]
    if m.params.get("api_base") is not None:
        return []
    known = map_price(str(m.params.get("model")))
    if known is None or known == price:
        return []
    ours, theirs = price_fields(price), price_fields(known)
    differ = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
    named = [f"{name} {ours.get(name)} and {theirs.get(name)}" for name in differ]
    told = f"{known.input_usd_per_mtok:g} in and {known.output_usd_per_mtok:g} out"
    return [
        f"warning: its file says USD {price.input_usd_per_mtok:g} in and {price.output_usd_per_mtok:g} out per million "
        f"tokens, the map of {map_version()} {told} (what differs: {', '.join(named)}): see which holds, and override "
        f"model.params.price if need be"
    ]
