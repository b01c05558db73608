"""The interface of a strategy, and the table that finds one by its name.

The contract, as worked cases (the conformance suite in `mlesearch.testing` checks each):

1. *First ask.* `ask(0.0)` on a new strategy returns proposal 0, a DRAFT or a judgement that needs no program
   (`base`, `subject` and `parents` empty).
2. *Dense ids.* The proposal returned by an ask has `id` equal to the number of proposals returned before.
3. *Only finished nodes.* `base`, `subject`, `parents` and `context` name proposals that were told and that made a
   program, by plain ints. A proposal still in flight, or a judgement, is never named. DEBUG edits a program that
   failed, IMPROVE and MERGE a valid one; MERGE names other valid programs in `context`, or else in `parents`.
4. *Asking with work in flight.* With proposal 7 told to nobody yet, ask may return proposal 8. It counts 7 as work
   in flight (a draft in flight is a root already; an expansion in flight is not picked twice), or returns None.
5. *None is free.* An ask that returns None changes no state: asked again it returns None, until a tell. With
   nothing pending None means finished; no built-in strategy ever finishes by itself.
6. *Tell in any order.* Outcomes arrive in the order of completion. Each proposal is told once. `tell` returns the
   verdicts that this outcome made it reach, about any told node (usually none).
7. *Failure is information.* Every `Status` may be told for every operator. A failed program is a buggy node; a
   failed judgement carries no diagnosis and no hypotheses and the strategy goes on without.
8. *Never dry.* While the engine asks and nothing is pending, ask returns a proposal, all nodes buggy included.
9. *State is a fold.* The same asks (with their `used`) and tells, on a new object with the same parameters, problem
   and rng, give the same proposals and verdicts, under any hash seed, on any machine. There is no clock, no file,
   no global randomness: `rng(id)` of the proposal being made is all.
10. *Budget is the engine's.* A strategy never ends a run; it may read `used` for its schedules. An engine whose
   steps are spent asks on for judgements only; a program proposal asked then is journaled and never told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from mlesearch.types import ConfigError, Outcome, Problem, Proposal, Registry, Rng, Status, Verdict, did_you_mean

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Params = Mapping[str, object]


@runtime_checkable
class Optimizer(Protocol):
    """A search strategy: pure decisions, no I/O."""

    def ask(self, used: float) -> Proposal | None:
        """The next proposal.

        Args:
            used: largest fraction spent of any declared budget, from 0 to 1, rounded down to 0.001.

        Returns:
            A proposal, or None when there is nothing to do until the next tell.
        """
        ...

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """Learn what became of a proposal; return what this decided about nodes."""
        ...


Factory = Callable[[Params, Problem, Rng], Optimizer]

STRATEGIES = Registry(
    setting="strategy",
    noun="strategy",
    group="mlesearch.optimizers",
    builtin={
        "random": "mlesearch.optimizers.random:make",
        "hillclimb": "mlesearch.optimizers.hillclimb:make",
        "greedy": "mlesearch.optimizers.greedy:make",
        "adaptive": "mlesearch.optimizers.adaptive:make",
        "mcts": "mlesearch.optimizers.mcts:make",
        "evo": "mlesearch.optimizers.evo:make",
        "mcgs": "mlesearch.optimizers.mcgs:make",
        "gome": "mlesearch.optimizers.gome:make",
    },
)
"""The strategies, each a `Factory`."""


def factory(kind: str) -> Factory:
    """The factory of a strategy by its name.

    Raises:
        ConfigError: no strategy has this name; the text lists those that exist.
    """
    found: Factory = STRATEGIES.load(kind)
    return found


def check_params(kind: str, params: Params, allowed: Mapping[str, object]) -> None:
    """Refuse parameters that a strategy does not know.

    Args:
        kind: the strategy, for the message.
        params: as given.
        allowed: known names with their defaults.

    Raises:
        ConfigError: names the unknown key and the allowed ones.
    """
    for key in params:
        if key not in allowed:
            hint, known = did_you_mean(key, allowed), ", ".join(sorted(allowed)) or "none"
            raise ConfigError(f"strategy.params.{key}: {kind} has no such parameter{hint}; it has: {known}")


T = TypeVar("T", bound="DataclassInstance")


def param(
    default: Any, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> Any:  # the field of a dataclass, as `dataclasses.field` types it
    """A field of a strategy's settings: its default says its type, and these its range.

    Args:
        default: a bool, int, float or str.
        low: least value allowed, itself included.
        high: largest value allowed, itself included.
        choices: the values allowed for a str.
    """
    return field(default=default, metadata={"low": low, "high": high, "choices": choices})


def read_params(kind: str, settings: type[T], params: Params) -> T:
    """Make a strategy's settings from what the user gave.

    Args:
        kind: the strategy, for the message.
        settings: a dataclass whose fields are made by `param`.
        params: as given; a bool may also be written "on" or "off", a float as a whole number.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range.
    """
    known = {f.name: f for f in fields(settings)}
    check_params(kind, params, {name: f.default for name, f in known.items()})
    return settings(**{key: _checked(kind, key, value, known[key]) for key, value in params.items()})


def allowed_text(spec: Any) -> str:
    """The values that a parameter may have, in words.

    Args:
        spec: the field of a settings class, made by `param`.
    """
    if isinstance(spec.default, bool):
        return "on or off"
    if isinstance(spec.default, str):
        return " or ".join(spec.metadata["choices"])
    number = "a whole number" if isinstance(spec.default, int) else "a number"
    return number + _range_text(spec.metadata["low"], spec.metadata["high"])


def _checked(kind: str, key: str, value: object, spec: Any) -> object:
    """A parameter's value in the type of its default."""
    if isinstance(spec.default, bool):
        switch = value.lower() if isinstance(value, str) else value
        if isinstance(switch, bool):
            return switch
        if switch in ("on", "off", "true", "false"):
            return switch in ("on", "true")
    elif isinstance(spec.default, str):
        choices = spec.metadata["choices"]
        if isinstance(value, str) and value in choices:
            return value
        if value is False and "off" in choices:  # YAML reads a bare off as a bool
            return "off"
    else:
        low, high, whole = spec.metadata["low"], spec.metadata["high"], isinstance(spec.default, int)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and (isinstance(value, int) or not whole)
            and math.isfinite(value)
            and not _outside(value, low, high)
        ):
            return value if whole else float(value)
    raise ConfigError(f"strategy.params.{key}: {kind} takes {allowed_text(spec)} here, not {value!r}")


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _range_text(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if low is not None else f" of at most {high:g}" if high is not None else ""


def made_program(outcome: Outcome) -> bool:
    """Whether a told proposal left a program, so that later proposals may name it.

    A judgement leaves none, nor does a reply that could not be used.
    """
    return outcome.op.makes_program and outcome.status is not Status.REPLY_UNUSABLE
