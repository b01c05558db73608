"""Programs that the replies of the field cases hold: of several lengths, with and without functions and classes."""

from __future__ import annotations

TREES = """import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

SEED = 7
train = pd.read_csv("input/train.csv")
held = pd.concat([pd.read_csv("input/validation.csv"), pd.read_csv("input/test.csv")], ignore_index=True)
columns = ["width", "length", "hardness"]
X, y = train[columns], train["density"]

errors = []
for fold, (a, b) in enumerate(KFold(5, shuffle=True, random_state=SEED).split(X)):
    model = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, random_state=SEED)
    model.fit(X.iloc[a], y.iloc[a])
    errors.append(float(np.sqrt(np.mean((model.predict(X.iloc[b]) - y.iloc[b]) ** 2))))
    print("fold", fold, errors[-1])
print("cv", np.mean(errors))

final = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, random_state=SEED).fit(X, y)
out = pd.DataFrame({"id": held["id"], "density": final.predict(held[columns])})
out.to_csv("submission.csv", index=False)
"""

BASE = """import pandas as pd
from sklearn.ensemble import RandomForestRegressor

train = pd.read_csv("input/train.csv")
held = pd.concat([pd.read_csv("input/validation.csv"), pd.read_csv("input/test.csv")], ignore_index=True)
columns = ["width", "length"]

model = RandomForestRegressor(n_estimators=100, n_jobs=2, random_state=0)
model.fit(train[columns].fillna(0), train["density"])
held["density"] = model.predict(held[columns].fillna(0))
held[["id", "density"]].to_csv("submission.csv", index=False)
"""

BETTER = BASE.replace("n_estimators=100", "n_estimators=500, min_samples_leaf=3").replace(
    'columns = ["width", "length"]\n',
    'for frame in (train, held):\n    frame["ratio"] = frame["width"] / frame["length"]\n'
    'columns = ["width", "length", "ratio"]\n',
)

PARTS = """import time

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

START = time.time()


def load():
    train = pd.read_csv("input/train.csv")
    held = pd.concat([pd.read_csv("input/validation.csv"), pd.read_csv("input/test.csv")])
    return train, held


def features(frame, fill):
    out = pd.DataFrame(index=frame.index)
    out["width"] = frame["width"].fillna(fill["width"])
    out["area"] = out["width"] * frame["length"].fillna(fill["length"])
    out["missing"] = frame["width"].isna().astype(float)
    return out


def fit(train, fill):
    model = make_pipeline(StandardScaler(), Ridge(alpha=3.0))
    return model.fit(features(train, fill), train["density"])


def main():
    train, held = load()
    fill = train[["width", "length"]].median()
    model = fit(train, fill)
    residual = train["density"] - model.predict(features(train, fill))
    print("train rmse", float(np.sqrt((residual**2).mean())))
    held["density"] = model.predict(features(held, fill))
    held[["id", "density"]].to_csv("submission.csv", index=False)
    print("seconds", round(time.time() - START, 1))


if __name__ == "__main__":
    main()
"""

NET = """import numpy as np
import pandas as pd
import torch
from torch import nn

torch.manual_seed(0)
train = pd.read_csv("input/train.csv")
held = pd.concat([pd.read_csv("input/validation.csv"), pd.read_csv("input/test.csv")])
columns = ["width", "length"]
mean, std = train[columns].mean(), train[columns].std()


def tensor(frame):
    return torch.tensor(((frame[columns] - mean) / std).fillna(0).to_numpy(np.float32))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.layers(x)[..., 0]


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
target = torch.tensor(train["density"].to_numpy(np.float32))
for epoch in range(200):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(tensor(train)), target)
    loss.backward()
    optimizer.step()
print("loss", float(loss))
with torch.no_grad():
    held["density"] = net(tensor(held)).numpy()
held[["id", "density"]].to_csv("submission.csv", index=False)
"""

MEDIAN = """import pandas as pd

train = pd.read_csv("input/train.csv")
out = pd.read_csv("input/sample_submission.csv")
out["density"] = train["density"].median()
out.to_csv("submission.csv", index=False)
"""

LOOK = """import pandas as pd

train = pd.read_csv("input/train.csv")
print(train.describe())
print(train.isna().sum())
print(train["density"].hist())
"""

PLAN = (
    "The table is small, so boosted trees on the three measurements are a sound start. Missing values are left to the "
    "trees. Five folds give an estimate, and the final model is fitted on all training rows."
)


def cut(code: str, at: str, *, after: bool = False) -> str:
    """A program up to a text that it holds."""
    where = code.index(at) + (len(at) if after else 0)
    return code[:where]


def indented(code: str, by: str) -> str:
    """A program with every line that is not empty moved to the right."""
    return "".join(by + line if line.strip() else line for line in code.splitlines(keepends=True))
