"""
Photographs of handwriting
==========================

Convert photographs of single digits to the format of MNIST, step by step, and recognise a whole number.

The photographs are generated from MNIST digits on ruled paper with uneven light, so that the script needs no files.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import skconv
from skconv.digits.preprocess.background import find_strokes
from skconv.digits.preprocess.cleaning import clean_strokes

rng = np.random.default_rng(0)
mnist = skconv.load_dataset("mnist")


def photograph(indices: list[int], ink: tuple[int, int, int]) -> np.ndarray:
    """Draw MNIST digits on ruled paper; return uint8 (200, 110 per digit, 3)."""
    strokes = np.zeros((200, 110 * len(indices), 1))
    for place, index in enumerate(indices):
        digit = Image.fromarray(mnist.test_images[index]).resize((110, 110), Image.Resampling.BICUBIC)
        top = 20 + rng.integers(60)
        strokes[top : top + 110, 110 * place : 110 * place + 110, 0] = np.asarray(digit) / 255
    height, width = strokes.shape[:2]
    paper = np.ones((height, width, 3)) * (235, 230, 215)
    paper[20::60] = (150, 170, 205)  # ruled lines
    light = np.linspace(0.6, 1, width) * np.linspace(0.85, 1, height)[:, None]
    noise = rng.normal(0, 4, (height, width, 1))
    image = (paper + strokes * (np.array(ink) - paper)) * light[:, :, None] + noise
    return np.clip(image, 0, 255).astype(np.uint8)


folder = Path(tempfile.mkdtemp())

# %%
# Draw the preprocessing steps of two digits. ``skconv predict`` applies them to each file.

photos = [photograph([3], (30, 40, 120)), photograph([7], (90, 90, 90))]
figure, rows = plt.subplots(2, 4, figsize=(9, 6.4), layout="constrained")
for number, (photo, panels) in enumerate(zip(photos, rows, strict=True)):
    Image.fromarray(photo).save(folder / f"digit-{number}.png")
    strokes = find_strokes(photo)
    steps = {
        "photograph": photo,
        "background removed": strokes,
        "one digit, no lines": clean_strokes(strokes),
        "as MNIST": skconv.normalize_digit(photo),
    }
    for axes, (title, image) in zip(panels, steps.items(), strict=True):
        axes.imshow(image, cmap="gray")
        axes.set_title(f"{title}\n{image.shape[1]}×{image.shape[0]}", fontsize=9)
        axes.set_axis_off()
print(skconv.predict("digits", [folder / "digit-0.png", folder / "digit-1.png"]))

# %%
# Recognise a number with ``skconv read``. It returns the box and the confidence of each digit.

number = [1, 5, 7, 9, 18, 30]
Image.fromarray(photograph(number, (40, 40, 60))).save(folder / "line.png")
text = skconv.read(folder / "line.png", annotate=folder / "number.png").text
print(f"predicted {text}, true {''.join(str(mnist.test_labels[index]) for index in number)}")

figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
axes.imshow(Image.open(folder / "number.png"))
axes.set_axis_off()
