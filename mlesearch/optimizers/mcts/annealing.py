"""ML-Master's exploration constant: held, then falling with each node, then at its floor."""

from __future__ import annotations

HOLD_USED = 0.3
"""Share of the budget after which the constant no longer holds."""

FLOOR_USED = 0.7
"""Share of the budget after which it is at its floor."""


class Annealing:
    """The constant C of UCT by the number of nodes (piecewise decay, utils/mcts.py of the released code).

    Without a step budget the released search has no such schedule; `used` then takes the place of the shares.
    """

    def __init__(self, c: float, decay: float, floor: float, held: int, steps: int | None) -> None:
        """C is `c` at first, falls by `decay` a node, and stops at `floor`.

        Args:
            c: C at first.
            decay: how much it falls with each node.
            floor: where it stops; no more than `c` counts.
            held: nodes until which it holds, if the share of the budget is not reached before.
            steps: the declared step budget; None where none is declared.
        """
        self._c = c
        self._decay = decay
        self._floor = min(c, floor)
        self._held = held
        self._steps = steps
        self._nodes_at_hold: int | None = None  # without a step budget: the nodes when `used` reached HOLD_USED

    def asked(self, nodes: int, used: float) -> None:
        """Learn that a proposal was made with so many nodes and so much of the budget used."""
        if self._nodes_at_hold is None and used >= HOLD_USED:
            self._nodes_at_hold = nodes

    def c(self, nodes: int, used: float) -> float:
        """C now.

        Args:
            nodes: finished ones, the virtual root counted.
            used: fraction of the budget spent.
        """
        held = self._held
        if self._steps is not None:
            held = min(held, round(HOLD_USED * self._steps))
            late = nodes > round(FLOOR_USED * self._steps)
        else:
            if self._nodes_at_hold is not None:
                held = min(held, self._nodes_at_hold)
            elif used >= HOLD_USED:
                held = min(held, nodes)
            late = used >= FLOOR_USED
        return self._floor if late else max(self._floor, self._c - self._decay * max(0, nodes - held))
