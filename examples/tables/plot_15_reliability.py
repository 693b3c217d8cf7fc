"""
Calibration of probabilities
============================

Of all rows that a classifier gives a chance of .8, four in five should be of the class. This
draws how often they are, for :class:`skkuranet.KuraNetClusterer` and two of scikit-learn's
classifiers, on the half of the rows that none of them has seen. The rows are hard: of every ten
labels one was drawn anew, and nobody can know which.
"""

import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetClusterer

X, y = make_classification(6000, 12, n_informative=6, flip_y=0.1, class_sep=0.8, random_state=0)
X, X_new, y, y_new = train_test_split(X, y, test_size=0.5, random_state=0)

models = {
    "KuraNetClusterer": KuraNetClusterer(random_state=0),
    "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(max_iter=2000, random_state=0)),
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()),
}
chances = {name: model.fit(X, y).predict_proba(X_new)[:, 1] for name, model in models.items()}

# %%
# Accuracy says who is right more often, log loss who can also be believed; always to say one
# half has a log loss of .69.
for name, chance in chances.items():
    accuracy = accuracy_score(y_new, chance > 0.5)
    print(f"{name:20s} accuracy {accuracy:.3f}, log loss {log_loss(y_new, chance):.3f}")

# %%
# A curve below the diagonal on the right, and above it on the left, is of a model too sure of
# itself; the other way round, of one that knows more than it says. Bars show how often each
# chance is given.
colours = dict(zip(models, ("C3", "C0", "C2")))
figure, axes = plt.subplot_mosaic(
    [[name, "curves"] for name in models],
    figsize=(9, 5.6),
    width_ratios=(1, 2),
    layout="constrained",
)
bins = {"bins": 20, "range": (0, 1)}
for name, chance in chances.items():
    CalibrationDisplay.from_predictions(
        y_new, chance, n_bins=10, ax=axes["curves"], name=name, color=colours[name], marker="o"
    )
    axes[name].hist(chance, color=colours[name], alpha=0.8, **bins)
    axes[name].set_title(name, fontsize=10)
    axes[name].set_ylabel("rows")
axes["curves"].set(
    xlabel="chance of class 1, as predicted", ylabel="share of class 1 among these rows", aspect=1
)
axes["curves"].legend(loc="upper left", frameon=False)
axes[name].set_xlabel("chance of class 1")
for axis in axes.values():
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
