"""The spaces of synthetic tasks, and their programs.

A program of these learns the levels of options from `train.csv` and predicts, for each question, the level of the
option that its pipeline takes. So it is an ordinary program that reads, fits, predicts and writes, and can have every
bug; its score is worked out by the task's own grader from the levels that it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.tasks.synthetic.names import ID_PREFIX
from mlesearch.tasks.synthetic.outline import outline

_MODEL = '''
class Nearest:
    """Predicts the value of the nearest known row."""

    def fit(self, X, y):
        self.X, self.y = X, y
        return self

    def predict(self, X):
        return self.y[((X[:, None, :] - self.X[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)]

    def score(self, X, y):
        return float((self.predict(X) == y).mean())
'''

_PREPARATION = """words = (train["choice"] + "=" + train["option"]).tolist()
asked = [f"{choice}={PIPELINE.get(choice, '')}" for choice in rows["asked"]]
X_train = np.array([[float(word == known) for known in words] for word in words])
X_rows = np.array([[float(word == known) for known in words] for word in asked])
"""

_AFTER = 'predictions = np.where(rows["asked"] == "random_state", RANDOM_STATE, predictions)\n'


def space(task: str) -> Space:
    """The space of a synthetic task by its id.

    Raises:
        KeyError: there is no such task.
    """
    of = outline(task.removeprefix(ID_PREFIX))

    def program(settings: Mapping[str, str]) -> str:
        return assemble(
            title=f"A pipeline of the synthetic task {of.name}.",
            settings=settings,
            target="level",
            imports=(),
            constants=f'TASK = "{task}"\nRANDOM_STATE = 0\n',
            functions=[_MODEL],
            preparation=_PREPARATION,
            labels='train["level"].to_numpy()',
            model="model = Nearest()",
            after=_AFTER,
        )

    choices = tuple(
        Choice(q.name, q.component, q.problem, tuple(Option(name, why) for name, why in q.options))
        for q in of.questions
    )
    plain = tuple(choice.options[0].name for choice in choices)
    return Space(task, of.direction, "level", choices, plain, program)
