"""Odd claims, and studies of things that may not be mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.support.edge_kinds.common import CONFIRMED, CROSSED, HIGHER, LOWER, TEN, gome_wins, of_seed, risen
from tests.support.edge_studies import MODELS, EdgeStudy, changed, of_arm, of_launches, study, with_header, with_import

STUDIES = {
    # claims
    "no claim": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, declared=False),
        ("No claim was declared", "exploratory"),
        (*CONFIRMED, "claim's order"),
    ),
    "a claim about a strategy that never ran": EdgeStudy(
        lambda: study(claim={"treatment": "gnome"}), ("no runs of gnome", "nothing here is confirmatory"), CONFIRMED
    ),
    "a claim of a strategy against itself": EdgeStudy(
        lambda: study(claim={"baseline": "gome"}), refused=".*compares gome with itself.*"
    ),
    "a claim about an outcome that is none": EdgeStudy(
        lambda: study(claim={"outcome": "medals"}), refused=".*claim.outcome is 'medals'; allowed: any_medal.*"
    ),
    "a claim about capability, and none known": EdgeStudy(
        lambda: study(capability=[0.1, None, 0.3]), refused=".*capability, but table runs has none for lab/middle.*"
    ),
    "tiers": EdgeStudy(
        lambda: study(
            capability=[None] * 3,
            tiers=["low", "mid", "high"],
            claim={"capability": False, "tiers": ["low", "mid", "high"]},
        ),
        (r"per tier|No trend|no (change|rise)",),
        (CROSSED,),
    ),
    "a tier that the claim lacks": EdgeStudy(
        lambda: study(tiers=["low", "odd", "high"], claim={"capability": False, "tiers": ["low", "high"]}),
        refused=".*lacks the tier 'odd' of model lab/middle.*",
    ),
    "models of one capability": EdgeStudy(
        lambda: study(capability=[0.5] * 3), ("same place in the declared order",), (CROSSED, "The gap (widens|rises)")
    ),
    "two capabilities of one model": EdgeStudy(
        lambda: changed(study(), of_seed(1), capability=0.7),
        refused="model lab/middle has more than one tier or capability.*",
    ),
    "a gap that rises from behind to level": EdgeStudy(
        lambda: study(risen(-0.6, 0.0), models=TEN, tasks=30),
        ("The gap rises", "from −", LOWER),
        (CROSSED, "widens", "against what was declared"),
    ),
    "a gap that falls though a rise was declared": EdgeStudy(
        lambda: study(risen(0.6, -0.1), models=TEN, tasks=30),
        ("against the declared claim", "this side was not declared, so it is exploratory"),
        (CROSSED, "widens"),
    ),
    "a declared fall": EdgeStudy(
        lambda: study(risen(0.6, 0.0), models=TEN, tasks=30, claim={"trend": "falls"}),
        ("The gap falls", HIGHER),
        (CROSSED, "against the declared"),
    ),
    "a gap that crosses over": EdgeStudy(
        lambda: study(risen(-0.5, 0.5), models=TEN, tasks=40),
        (CROSSED, "low group", "high group", "The gap rises"),
        ("None established",),
    ),
    "low and high groups without any spread": EdgeStudy(
        lambda: study(lambda m, s, t, k: (s == 1) == (m >= 5), models=TEN, tasks=12),
        (CROSSED, "The gap rises"),
        ("not shown to",),
    ),
    "a capability that is not finite": EdgeStudy(
        lambda: study(capability=[0.1, float("inf"), 0.3]), refused="model lab/middle has the capability inf.*"
    ),
    "ties in capability at the edge of a group": EdgeStudy(
        lambda: study(risen(-0.5, 0.5), models=TEN, tasks=40, capability=[0, 1, 2, 2, 2, 3, 4, 5, 6, 7]),
        ("low group|No verdict",),
        ("nan",),
    ),
    "ties in capability under other names": EdgeStudy(
        lambda: study(risen(-0.5, 0.5), models=TEN[::-1], tasks=40, capability=[0, 1, 2, 2, 2, 3, 4, 5, 6, 7]),
        ("low group|No verdict",),
        ("nan",),
    ),
    "every sentence says what it is of": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, models=MODELS[:1]),
        (r"Confirmatory, on tasks like these \(E2, n = 12 tasks, 3 seeds each\)", "Exploratory, |Confirmatory, "),
        (LOWER,),
    ),
    "a grid that has grown": EdgeStudy(
        lambda: of_launches(gome_wins.made(), lambda r: 1 + (r["seed"] == 2)),
        (
            "The grid has grown since the first launch, before which the claim was declared: 72 of 216 runs were asked "
            r"for by a later launch \(new with 1 seed: 2\)",
            "tests reject more often than their levels say",
            HIGHER,
        ),
        ("later launches",),
    ),
    "a grid that has grown by models and tasks": EdgeStudy(
        lambda: of_launches(
            gome_wins.made(), lambda r: 1 + (r["model"] == MODELS[2]) + 2 * (r["task"] >= "task-006").astype(int)
        ),
        (r"by 3 later launches \(new with 1 model: lab/strong; 6 tasks: task-006, .* and 2 more\)",),
        ("seed: ",),
    ),
    "a grid that has grown, and no claim": EdgeStudy(
        lambda: of_launches(study(declared=False), lambda r: 1 + (r["seed"] == 2)), ("exploratory",), ("has grown",)
    ),
    "a grid of one launch": EdgeStudy(lambda: of_launches(study(), lambda r: 1), ("confirmatory",), ("has grown",)),
    # mixtures
    "a simulated study": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, simulated=True),
        ("[Ii]n simulation", "says nothing about any language model", HIGHER),
        (LOWER,),
    ),
    "a live study": EdgeStudy(gome_wins.made, (HIGHER,), ("imulat",)),
    "live and simulated runs": EdgeStudy(
        lambda: changed(study(), of_seed(1), simulated=True),
        refused="table runs mixes 72 simulated with 144 live runs.*",
    ),
    "nodes of another kind": EdgeStudy(
        lambda: replace(study(), nodes=study().nodes.assign(simulated=True)),
        refused="table nodes says simulated=True.*",
    ),
    "study.json of another kind": EdgeStudy(
        lambda: with_header(study(), simulated=True), refused="study.json says simulated=True but the runs.*"
    ),
    "imported results": EdgeStudy(
        lambda: with_import(study(), "gpt", "aide"),
        ("board \\(imported\\)", "never pooled", "Imported rows"),
        ("aide against",),
    ),
    "imported results under an own name": EdgeStudy(
        lambda: with_import(study(), "lab/weak", "gome"), refused=".*has the model and strategy of the import board.*"
    ),
    "imported results in a simulated study": EdgeStudy(
        lambda: with_import(study(simulated=True), "gpt", "aide"),
        refused="this study is simulated, and board was imported.*",
    ),
    "rows that are marked as imported": EdgeStudy(
        lambda: changed(study(), of_seed(1), imported=True),
        refused=".*was imported; imported results are never pooled.*",
    ),
    "hardware that differs": EdgeStudy(
        lambda: changed(study(), of_arm("gome"), hardware="8 GPU"),
        ("Not all runs share the same hardware: 2 CPU; 8 GPU",),
        (),
    ),
    "promises that differ between the sides": EdgeStudy(
        lambda: changed(study(), of_arm("gome"), promises="net_off,gpu"),
        ("did not share one sandbox", "gpu with gome only", "may come from that"),
        (),
    ),
    "an environment that differs between seeds": EdgeStudy(
        lambda: changed(study(), of_seed(1), environment="4e"),
        ("Not all runs share the same sandbox environment",),
        ("did not share one sandbox",),
    ),
    "validation that differs": EdgeStudy(
        lambda: changed(study(), lambda r: r["task"] == "task-001", validation="reported"),
        ("Programs reported their own score on task-001",),
        (),
    ),
    "a model that answered under two ids": EdgeStudy(
        lambda: replace(
            study(), calls=study().calls.assign(model_answered=np.where(study().calls.index % 2, "a", "b"))
        ),
        ("Model lab/weak answered under 2 ids: a; b",),
        (),
    ),
}
