"""Pipelines for rentals: repair units, fill gaps, encode, place on the map, regress the rent."""

from __future__ import annotations

from collections.abc import Mapping

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
        "missing",
        Component.DATA,
        "Fields are empty for reasons that have to do with the flat.",
        (
            Option("median", "the median is a neutral guess for an empty field"),
            Option("flagged", "an indicator beside the filled value lets the model learn what an empty field means"),
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
            Option("neighbours", "the rent per room of the nearest known flats tells what the place is worth"),
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
            Option("ridge", "a regularised linear model is hard to overfit"),
            Option("boosting", "gradient boosting fits interactions that others miss"),
            Option("blend", "boosting and a linear model err differently, so their mean errs less"),
        ),
    ),
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
encoder = TargetEncoder(target_type="continuous", smooth=10.0, cv=5, random_state=0)
names_train, names_rows = encoder.fit_transform(train[NAMES], y_train), encoder.transform(rows[NAMES])
"""

_NEIGHBOURS = """
worth = np.log(y_known / train["rooms"].to_numpy() ** 0.7)
place = KNeighborsRegressor(n_neighbors=12, weights="distance")
near_train = cross_val_predict(place, train[PLACE], worth, cv=KFold(10, shuffle=True, random_state=0))
near_rows = place.fit(train[PLACE], worth).predict(rows[PLACE])
X_train = np.column_stack([X_train, near_train])
X_rows = np.column_stack([X_rows, near_rows])
"""

_RIDGE = "make_pipeline(StandardScaler(), Ridge(alpha=10.0))"
_BOOSTING = (
    "HistGradientBoostingRegressor(\n"
    "    max_iter=150, learning_rate=0.08, max_leaf_nodes=12, min_samples_leaf=15, l2_regularization=1.0,"
    " random_state=0\n"
    ")"
)
_RIDGE_IMPORTS = (
    "from sklearn.linear_model import Ridge",
    "from sklearn.pipeline import make_pipeline",
    "from sklearn.preprocessing import StandardScaler",
)
_BOOSTING_IMPORT = "from sklearn.ensemble import HistGradientBoostingRegressor"

_MODELS: dict[str, tuple[tuple[str, ...], str]] = {
    "forest": (
        ("from sklearn.ensemble import RandomForestRegressor",),
        "model = RandomForestRegressor("
        "n_estimators=60, max_features=0.4, min_samples_leaf=2, random_state=0, n_jobs=1)",
    ),
    "ridge": (_RIDGE_IMPORTS, f"model = {_RIDGE}"),
    "boosting": ((_BOOSTING_IMPORT,), f"model = {_BOOSTING}"),
    "blend": (
        (*_RIDGE_IMPORTS, _BOOSTING_IMPORT, "from sklearn.ensemble import VotingRegressor"),
        f"linear = {_RIDGE}\n"
        f"boosted = {_BOOSTING}\n"
        'model = VotingRegressor([("linear", linear), ("boosted", boosted)], weights=[0.3, 0.7])',
    ),
}


def _program(settings: Mapping[str, str]) -> str:
    log = settings["target"] == "log"
    imports: list[str] = ["from sklearn.impute import SimpleImputer"]
    indicator = ", add_indicator=True" if settings["missing"] == "flagged" else ""
    preparation = (
        'y_known = train["rent"].to_numpy()\n'
        f"y_train = {'np.log1p(y_known)' if log else 'y_known'}\n\n"
        f'filler = SimpleImputer(strategy="median"{indicator}).fit(numbers(train))\n'
    )
    if settings["encoding"] == "onehot":
        imports.append("from sklearn.preprocessing import OneHotEncoder")
        preparation += _ONEHOT.lstrip()
    else:
        imports.append("from sklearn.preprocessing import TargetEncoder")
        preparation += _TARGET_MEAN.lstrip()
    preparation += (
        "\n"
        "X_train = np.hstack([filler.transform(numbers(train)), names_train])\n"
        "X_rows = np.hstack([filler.transform(numbers(rows)), names_rows])\n"
    )
    if settings["location"] == "neighbours":
        imports += [
            "from sklearn.model_selection import KFold, cross_val_predict",
            "from sklearn.neighbors import KNeighborsRegressor",
        ]
        preparation += _NEIGHBOURS.lstrip()
    needed, model = _MODELS[settings["model"]]
    return assemble(
        title="The monthly rent of a flat from its advertisement.",
        settings=settings,
        target="rent",
        imports=[*imports, *needed],
        constants=_COLUMNS,
        functions=[_READ_METRIC if settings["units"] == "metric" else _READ_PLAIN],
        preparation=preparation,
        model=model,
        after=f"predictions = np.maximum({'np.expm1(predictions)' if log else 'predictions'}, 0.0)\n",
    )


SPACE = Space(
    task="rentals",
    direction=Direction.MINIMIZE,
    target="rent",
    choices=CHOICES,
    baseline=("as_typed", "median", "onehot", "coordinates", "raw", "forest"),
    program=_program,
)
