"""
Pipeline
========

Preprocess and classify images in one `sklearn.pipeline.Pipeline`, so that new images are preprocessed in the same way.

The images show dark ink on bright paper. The pipeline inverts and scales them. Scaling is optional, because the
networks normalise their input. scikit-learn's scalers scale each pixel separately.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from skconv import CNNClassifier


def invert(rows):
    """Convert dark ink (0) on bright paper (16) to bright ink on black."""
    return 16 - rows


digits = load_digits()
paper = 16 - digits.data  # (1797, 64)
X_train, X_test, y_train, y_test = train_test_split(
    paper, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)

pipeline = Pipeline(
    [
        ("invert", FunctionTransformer(invert)),
        ("scale", MaxAbsScaler()),
        ("classify", CNNClassifier("fast", max_epochs=4, random_state=0)),  # 64 values are an image of 8×8
    ]
)

# %%
# Cross-validate all steps together. Parameters of a step are set or searched with its name as a prefix.
pipeline.set_params(classify__batch_size=64)
scores = cross_val_score(pipeline, X_train, y_train, cv=3)
print(f"cross-validated accuracy: {scores.mean():.4f}")

pipeline.fit(X_train, y_train)
print(f"test accuracy: {pipeline.score(X_test, y_test):.4f}")
