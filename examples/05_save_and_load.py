"""
Save, load, and predict without torch
=====================================

Save a classifier as a model folder, load it, and predict with onnxruntime.

A model folder contains the weights (safetensors), the network as an ONNX graph, a configuration and a model card.
It contains no code. All files are verified by sha256 when it is opened.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)
classifier = CNNClassifier("fast", max_epochs=4, random_state=0).fit(X_train, y_train)

# %%
# `OnnxClassifier` needs onnxruntime only. This script runs in a separate process to show that torch is not imported.
SERVER = """
import sys
import numpy as np
from skconv import OnnxClassifier

model = OnnxClassifier("model")
np.save("probabilities.npy", model.predict_proba(np.load("images.npy")))
print("torch imported:", "yes" if "torch" in sys.modules else "no")
"""

with tempfile.TemporaryDirectory() as folder:
    model = Path(folder) / "model"
    classifier.save(model, scores={"test_accuracy": classifier.score(X_test, y_test)})
    for file in sorted(model.iterdir()):
        print(f"{file.name:18} {file.stat().st_size / 1000:6.1f} kB")

    loaded = CNNClassifier.load(model)
    same = np.array_equal(loaded.predict_proba(X_test), classifier.predict_proba(X_test))
    print(f"loaded classifier returns the same probabilities: {'yes' if same else 'no'}")

    np.save(Path(folder) / "images.npy", X_test)
    subprocess.run([sys.executable, "-c", SERVER], cwd=folder, check=True)
    probabilities = np.load(Path(folder) / "probabilities.npy")

difference = np.abs(probabilities - classifier.predict_proba(X_test)).max()
print(f"largest difference in probability: {difference:.0e}")
print(f"test accuracy of OnnxClassifier: {(probabilities.argmax(axis=1) == y_test).mean():.4f}")
