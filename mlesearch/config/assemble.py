"""From a run's plan to the parts of its engine; opens the run's folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from threading import Lock

from mlesearch import __version__
from mlesearch.config.parts.build import (
    is_audited,
    make_embedder,
    make_model,
    make_operators,
    make_roles,
    make_sample_rule,
    roles_by_op,
    shown_resources,
)
from mlesearch.config.parts.mlebench import mlebench_terms
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.sandboxes import program_spec
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import RunPlan
from mlesearch.engine.delivery import Delivery
from mlesearch.engine.folder import RunFolder
from mlesearch.engine.fresh_splits import Splits, TaskSplits
from mlesearch.engine.held_out import HeldOutScorer, OfficialSplits
from mlesearch.engine.official import OfficialReports, OfficialScorer
from mlesearch.engine.parts import EngineParts, Execution, FullRunTerms, Revalidate
from mlesearch.engine.randomness import proposal_rng, replicate_entropy
from mlesearch.engine.replay import Recording
from mlesearch.engine.sample_runs import SampleRuns
from mlesearch.engine.scoring import Scorer, TaskScorer
from mlesearch.engine.trial import RunContext
from mlesearch.engine.validity import ServerScorer, ValidationServer
from mlesearch.engine.virtual.folder import MemoryFolder
from mlesearch.engine.virtual.replies import read_at_once
from mlesearch.operators.library import compile_all
from mlesearch.operators.scene import brief
from mlesearch.operators.syntax import JudgesSyntax, fault_here
from mlesearch.optimizers.base import factory
from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.syntax import syntax_check
from mlesearch.storage.codec import dumps
from mlesearch.storage.documents import TASK
from mlesearch.storage.events import HeaderFields
from mlesearch.storage.files import write_atomically
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.layout import identity_digest
from mlesearch.storage.leases import Lease
from mlesearch.tasks.graders import imported
from mlesearch.tasks.mlebench import kept
from mlesearch.tasks.mlebench.competition import fresh_split
from mlesearch.tasks.mlebench.names import competition_of
from mlesearch.tasks.mlebench.twice import data_folder_of
from mlesearch.tasks.preview import task_preview
from mlesearch.tasks.protocol import Task, Validity
from mlesearch.types import Context, Problem


def warm_up(runs: Iterable[RunPlan], resources: ProcessResources) -> None:
    """Load the tasks of runs on a virtual clock and their worlds, so that forks of this process have them."""
    from mlesearch.engine.virtual.table import load_world  # it needs pandas, which a plan does without

    for run in {run.task: run for run in runs}.values():
        task = resources.task(run.task, run.settings)
        load_world(task)
        task_preview(task)


def warm_up_real(runs: Iterable[RunPlan], resources: ProcessResources) -> None:
    """Likewise for runs that execute programs: prompt files, previews, and what graders import.

    What can't be loaded is left to the run that needs it, which says so. Competitions of MLE-bench are left to it, too:
    they may ask another process, and threads with it.
    """
    import pandas  # noqa: F401  # graders read submissions by it

    compile_all()
    for run in {run.task: run for run in runs}.values():
        with contextlib.suppress(Exception):
            if competition_of(run.task):
                continue
            task = resources.task(run.task, run.settings)
            task_preview(task)
            if task.grader is not None and "sklearn" in imported(task.grader):
                import sklearn.metrics  # noqa: F401  # most of what such graders want, and nearly a second's work


def assemble(run: RunPlan, resources: ProcessResources, lease: Lease | None = None) -> EngineParts:
    """The parts of an engine for one run; opens (or creates) its folder.

    Args:
        run: the plan.
        resources: of this process.
        lease: of the run; None: its journal's lock is all that keeps others off.

    Raises:
        ConfigError: what was there when it was planned is not there any more.
        JournalBusy: another process is writing the run.
        LeaseLost: the lease is.
    """
    s, cell, task = run.settings, run.key.cell, resources.task(run.task, run.settings)
    recording = None if run.recorded is None else Recording(run.recorded / JOURNAL)
    budget = run.budget
    if recording is not None:
        budget = replace(budget, real_time_s=None)  # the recording says when the wall clock ended it
    model = make_model(s, resources, cell)
    sandbox, virtual = resources.sandbox(s), is_virtual(s)
    operators, scope = make_operators(s, task.direction)
    if virtual and not s.run.keep_prompts:
        operators = read_at_once(operators)
    elif isinstance(operators, JudgesSyntax):
        operators.judge_with(syntax_check(sandbox, fault_here))
    entropy = replicate_entropy(task.id, run.key.seed)
    problem = Problem(task.direction, budget.steps, Context(s.run.context), trial_runs=s.run.trial.share > 0)
    optimizer = factory(s.strategy.kind)(s.strategy.params, problem, partial(proposal_rng, entropy))
    roles = roles_by_op(s, model, make_roles(s, resources, cell))
    live = any(role.model.live for role in roles.values())
    spec = program_spec(s, task, run.limits)
    context = RunContext(
        run_id=run.key.id,
        entropy=entropy,
        brief=brief(task, task_preview(task)),
        resources=shown_resources(run.limits, sandbox),
        operators=operators,
        scope=scope,
        roles=roles,
        embedder=make_embedder(s, resources, cell),
        scorer=_scorer(run, task, resources),
        review=s.strategy.review,
        call_timeout_s=s.model.call_timeout_s,
        audit=is_audited(s, task),
        sample_runs=_sample_runs(run, spec, resources),
    )
    revalidate = None
    if s.run.selection == "revalidate":
        fresh = _fresh_splits(run, task, resources)
        revalidate = Revalidate(fresh, s.run.revalidate_k, s.run.revalidate_splits)
    keep_prompts = live if s.run.keep_prompts is None else s.run.keep_prompts
    durable = live and s.cassette != "replay"  # what was recorded can be had again
    header: HeaderFields = {"mlesearch": __version__, "run": run.key.id, "identity": identity_digest(run.identity)}
    folder = (
        MemoryFolder(run.folder, header, keep_prompts=keep_prompts)
        if virtual
        else RunFolder(run.folder, header, durable=durable, keep_prompts=keep_prompts, recording=recording, lease=lease)
    )
    return EngineParts(
        optimizer=optimizer,
        context=context,
        sandbox=sandbox,
        spec=spec,
        folder=folder,
        budget=budget,
        direction=task.direction,
        selection=s.run.selection,
        revalidate=revalidate,
        full=_full_runs(run, task, resources),
        execution=Execution(
            s.run.workers, virtual or s.cassette == s.sandbox.exec_store == "replay", recording, timed=not virtual
        ),
        keep_submissions=s.run.keep_submissions,
        delivery=None if run.out is None else Delivery(task, run.out),
    )


def _scorer(run: RunPlan, task: Task, resources: ProcessResources) -> Scorer:
    """What judges the programs of a search: the task's own rules, or MLE-bench; it keeps what a replay needs."""
    if is_virtual(run.settings):
        from mlesearch.engine.virtual.table import TableScorer  # it needs pandas, which a plan does without

        return TableScorer(task)
    if task.ungraded is Validity.SERVER:
        url = run.settings.mlebench.validate_url
        return ServerScorer(task, run.folder, None if url is None else ValidationServer(url), run.recorded)
    if task.official is None:
        return TaskScorer(task)
    if not (run.folder / TASK).exists():
        write_atomically(run.folder / TASK, dumps(kept.to_json(task)) + "\n", durable=run.recorded is None)
    if task.full is None:
        return _official(run, task, resources, None)
    return _held_out(run, resources, task, 0)


def _held_out(run: RunPlan, resources: ProcessResources, task: Task, split: int) -> Scorer:
    """What scores programs on a set held out of a competition's training data."""
    return HeldOutScorer(_official(run, task, resources, split))


def _official(run: RunPlan, task: Task, resources: ProcessResources, split: int | None) -> OfficialScorer:
    """What has MLE-bench grade by the answers of a competition; its reports are kept apart by split."""
    grade = None
    if not kept.is_kept(task):
        graders = resources.graders(mlebench_terms(run.settings))
        grade = partial(graders.grade, task.id)
        if split is not None:
            grade = partial(graders.grade, task.id, aligned=False, data_dir=data_folder_of(task))
    return OfficialScorer(task, OfficialReports(run.folder, run.recorded, split=split), grade, Lock())


def _fresh_splits(run: RunPlan, task: Task, resources: ProcessResources) -> Splits:
    """Fresh validation splits of a task."""
    s = run.settings
    if task.full is None:
        return TaskSplits(task, run.limits, s.sandbox.gpus)

    def split(seed: int) -> Task:
        if kept.is_kept(task):
            return task
        terms = mlebench_terms(s)
        return fresh_split(task, terms, resources.graders(terms), seed)

    return OfficialSplits(split, partial(_spec_of, run), partial(_held_out, run, resources))


def _spec_of(run: RunPlan, task: Task) -> Spec:
    return program_spec(run.settings, task, run.limits)


def _full_runs(run: RunPlan, task: Task, resources: ProcessResources) -> FullRunTerms | None:
    """How the chosen program runs on the full data; None where every program has."""
    if task.full is None:
        return None
    whole = replace(task, public_dir=task.full.public_dir, private_dir=task.full.private_dir, full=None)
    return FullRunTerms(_spec_of(run, whole), _official(run, whole, resources, None), run.settings.run.revalidate_k)


def _sample_runs(run: RunPlan, spec: Spec, resources: ProcessResources) -> SampleRuns | None:
    """The trial runs of a run's programs; what is replayed from a store needs no sample on the disk."""
    s, rule = run.settings, make_sample_rule(run.settings)
    if rule is None:
        return None
    time_s = min(s.run.trial.time_s, run.limits.time_s)
    if s.sandbox.exec_store == "replay":
        return SampleRuns(rule, time_s, spec, lambda: spec.input_dir)
    return SampleRuns(rule, time_s, spec, resources.sample(run.task, s, rule).path)
