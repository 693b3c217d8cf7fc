"""
In a pipeline and a grid search
===============================

The estimator behaves like every other classifier of scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetClusterer
from skkuranet.inspection import PhaseDisplay

X, y = load_wine(return_X_y=True)

# %%
# Features are standardised inside, so a scaler is not needed; other steps go before it as usual.
pipeline = make_pipeline(StandardScaler(), KuraNetClusterer(random_state=0))
print("accuracy in five folds:", np.round(cross_val_score(pipeline, X, y), 3))

# %%
# Parameters are searched by name. ``ProgressBar`` of ``sklearn.callback`` can be set on a bare
# estimator, on a pipeline or on a search alike: ``search.set_callbacks(ProgressBar())``.
grid = {"kuranetclusterer__weight_decay": [0.3, 1.0, 3.0]}
search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
print(search.best_params_, f"{search.best_score_:.3f}")

# %%
# Pictures look into pipelines and searches: the phases of all rows as one network, by the best
# estimator that was found.
PhaseDisplay.from_estimator(search, X, load_wine().target_names[y])
plt.show()

# %%
# As a transformer it maps rows to points of the circle, and names them.
table = pipeline.set_output(transform="pandas").fit(X, y).transform(X)
print(table.head())
