"""Pictures of people's own: what normalisation does to them, step by step, and a number read whole.

The pictures are made here, of MNIST's strokes on generated paper, so that the script needs no files: a grey sheet in
falling light with rules on it, pen strokes, noise. `steps.png` shows what becomes of two digits; `number.png` a number
on ruled paper, with the digits found in it.
"""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import skconv
from skconv.pictures.cleaning import clean_strokes
from skconv.pictures.ground import find_strokes

rng = np.random.default_rng(0)
mnist = skconv.load_dataset("mnist")


def photograph(strokes: np.ndarray, ink: tuple[int, int, int]) -> np.ndarray:
    """Write strokes (h, w), 0..1, in coloured ink on ruled paper in falling light; return uint8 (h, w, 3)."""
    height, width = strokes.shape
    light = np.linspace(0.6, 1, width) * np.linspace(0.85, 1, height)[:, None]
    paper = np.ones((height, width, 3)) * (235, 230, 215)
    paper[20::70] = (150, 170, 205)  # the rules
    written = paper + strokes[:, :, None] * (np.array(ink) - paper)
    noise = rng.normal(0, 4, (height, width, 1))
    return np.clip(written * light[:, :, None] + noise, 0, 255).astype(np.uint8)


def enlarge(digit: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)) / 255


# One digit a picture.
figure = Figure(figsize=(9, 4.8), layout="constrained")
for row, (index, ink) in enumerate([(3, (30, 40, 120)), (7, (90, 90, 90))]):
    sheet = np.zeros((300, 240))
    sheet[60:228, 30:198] = enlarge(mnist.test_images[index], 168)
    picture = photograph(sheet, ink)
    strokes = find_strokes(picture)
    steps = {
        "as it came": picture,
        "ink against paper": strokes,
        "one digit, no rules": clean_strokes(strokes),
        "as MNIST was made": skconv.normalize_digit(picture),
    }
    for column, (title, image) in enumerate(steps.items()):
        axes = figure.add_subplot(2, 4, 4 * row + column + 1)
        axes.imshow(image, cmap="gray")
        axes.set_title(f"{title}\n{image.shape[0]}×{image.shape[1]}", fontsize=9)
        axes.set_axis_off()
    Image.fromarray(picture).save(f"digit-{row}.png")
figure.savefig("steps.png", dpi=100)

for prediction in skconv.predict("digits", ["digit-0.png", "digit-1.png"]).predictions:
    print(prediction)

# A whole number, its digits at odd places.
line = np.zeros((150, 620))
for place, index in enumerate([1, 5, 7, 9, 18, 30]):
    top, left = 10 + rng.integers(25), 20 + 95 * place + rng.integers(-8, 8)
    line[top : top + 112, left : left + 112] += enlarge(mnist.test_images[index], 112)
Image.fromarray(photograph(np.clip(line, 0, 1), (40, 40, 60))).save("line.png")

result = skconv.read("line.png", annotate="number.png")
wanted = "".join(str(mnist.test_labels[index]) for index in [1, 5, 7, 9, 18, 30])
print(f"read {result.text}, written {wanted}")
