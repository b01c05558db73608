"""Pipelines for rentals: repair units, fill gaps, encode, place on the map, regress the rent."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "units",
        Component.DATA,
        "Areas and running costs were typed in different units.",
        (
            Option("as_typed", "the numbers are used as they stand, which is simple"),
            Option("metric", "square feet become square metres and yearly costs monthly ones, so numbers compare"),
        ),
    ),
    Choice(
        "encoding",
        Component.FEATURES,
        "Districts, agencies and heating are names, not numbers.",
        (
            Option("onehot", "one column per frequent name makes no assumption about their order"),
            Option("target_mean", "the smoothed mean rent of a name says in one column what it is worth"),
        ),
    ),
    Choice(
        "location",
        Component.FEATURES,
        "Rents change smoothly over the map, within districts too.",
        (
            Option("coordinates", "east and north are all there is to a place"),
            Option("bumps", "smooth bumps all over the map let any model draw hills and valleys"),
        ),
    ),
    Choice(
        "target",
        Component.WORKFLOW,
        "The metric compares logarithms, while the model is fitted to euros.",
        (
            Option("raw", "the rent itself is fitted"),
            Option("log", "fitting the logarithm of the rent optimises what the metric measures"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The regressor may not fit the kinks and interactions of rents.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a regularised linear model is hard to overfit"),
            Option("boosting", "gradient boosting fits interactions that others miss"),
            Option("kernel", "a kernel machine suits relations that are smooth"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_COLUMNS = """PLACE = ["east_km", "north_km"]
NUMBERS = ["area", "rooms", "floor", "built", "balcony_m2", "energy_kwh_m2", "month", *PLACE]
NAMES = ["condition", "heating", "agency", "district"]
"""

_READ_PLAIN = '''
def numbers(frame):
    """Numeric columns as they were typed."""
    table = frame[NUMBERS].copy()
    table["charges"] = frame["charges"].str.extract(r"(\\d+)", expand=False).astype(float)
    table["balcony_m2"] = table["balcony_m2"].fillna(0.0)
    table["lift"] = (frame["lift"] == "yes").astype(float)
    table["furnished"] = (frame["furnished"] == "yes").astype(float)
    return table
'''

_READ_METRIC = '''
def numbers(frame):
    """Numeric columns in square metres and euros a month; an area without a unit is judged by its size per room."""
    table = frame[NUMBERS].copy()
    feet = (frame["area_unit"] == "sqft") | (frame["area_unit"].isna() & (frame["area"] / (frame["rooms"] + 0.7) > 70))
    table["area"] = np.where(feet, frame["area"] / 10.764, frame["area"])
    table["charges"] = frame["charges"].str.extract(r"(\\d+)", expand=False).astype(float)
    yearly = frame["charges"].str.contains("year", na=False)
    table["charges"] = np.where(yearly, table["charges"] / 12, table["charges"])
    table["balcony_m2"] = table["balcony_m2"].fillna(0.0)
    table["lift"] = (frame["lift"] == "yes").astype(float)
    table["furnished"] = (frame["furnished"] == "yes").astype(float)
    return table
'''

_ONEHOT = """
encoder = OneHotEncoder(min_frequency=8, handle_unknown="infrequent_if_exist", sparse_output=False)
encoder.fit(train[NAMES])
names_train, names_rows = encoder.transform(train[NAMES]), encoder.transform(rows[NAMES])
"""

_TARGET_MEAN = """
encoder = TargetEncoder(target_type="continuous", smooth=10.0)
names_rows = encoder.fit(train[NAMES], y_train).transform(rows[NAMES])
names_train = np.zeros((len(train), len(NAMES)))
for known, held in KFold(5, shuffle=True, random_state=0).split(train):
    encoder.fit(train[NAMES].iloc[known], y_train[known])
    names_train[held] = encoder.transform(train[NAMES].iloc[held])
"""

_BUMPS = """
grid = np.array([(east, north) for east in np.arange(1, 16, 2.8) for north in np.arange(1, 16, 2.8)])
bumps_train, bumps_rows = (rbf_kernel(frame[PLACE], grid, gamma=0.08) for frame in (train, rows))
X_train, X_rows = np.hstack([X_train, bumps_train]), np.hstack([X_rows, bumps_rows])
"""

_LEVELS = {
    "forest": FamilyLevels(((0.15,), (0.35,), (0.7,)), ((20,), (8,), (2,))),
    "linear": FamilyLevels(((0.3,), (0.6,), (1.0,)), ((60,), (10,), (0.01,))),
    "boosting": FamilyLevels(((3,), (6,), (16,)), ((0.02, 30), (0.04, 50), (0.1, 140))),
    "kernel": FamilyLevels(((0.05,), (0.3,), (2.0,)), ((0.3,), (0.01,), (0.0003,))),
}


def _program(settings: Mapping[str, str]) -> str:
    log = settings["target"] == "log"
    imports: list[str] = ["from sklearn.impute import SimpleImputer"]
    preparation = (
        'y_known = train["rent"].to_numpy()\n'
        f"y_train = {'np.log1p(y_known)' if log else 'y_known'}\n\n"
        'filler = SimpleImputer(strategy="median", add_indicator=True).fit(numbers(train))\n'
    )
    if settings["encoding"] == "onehot":
        imports.append("from sklearn.preprocessing import OneHotEncoder")
        preparation += _ONEHOT.lstrip()
    else:
        imports += ["from sklearn.model_selection import KFold", "from sklearn.preprocessing import TargetEncoder"]
        preparation += _TARGET_MEAN.lstrip()
    preparation += (
        "\n"
        "X_train = np.hstack([filler.transform(numbers(train)), names_train])\n"
        "X_rows = np.hstack([filler.transform(numbers(rows)), names_rows])\n"
    )
    if settings["location"] == "bumps":
        imports.append("from sklearn.metrics.pairwise import rbf_kernel")
        preparation += _BUMPS.lstrip()
    needed, code = model(settings["model"], PredictedKind.NUMBERS, _LEVELS[settings["model"]])
    return assemble(
        title="The monthly rent of a flat from its advertisement.",
        settings=settings,
        target="rent",
        imports=[*imports, *needed],
        constants=_COLUMNS,
        functions=[_READ_METRIC if settings["units"] == "metric" else _READ_PLAIN],
        preparation=preparation,
        model=code,
        after=f"predictions = np.maximum({'np.expm1(predictions)' if log else 'predictions'}, 0.0)\n",
    )


SPACE = Space(
    task="rentals",
    direction=Direction.MINIMIZE,
    target="rent",
    choices=CHOICES,
    baseline=("as_typed", "onehot", "coordinates", "raw", "forest", "middle", "middle"),
    program=_program,
)
