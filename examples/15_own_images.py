"""Images of people's own: what normalisation does to them, step by step, and a number read whole.

The images are made here, of MNIST's strokes on ruled paper in falling light, so that the script needs no files.
`steps.png` shows what becomes of two digits, `number.png` a number with the digits found in it.
"""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import skconv
from skconv.digits.preprocess.background import find_strokes
from skconv.digits.preprocess.cleaning import clean_strokes

rng = np.random.default_rng(0)
mnist = skconv.load_dataset("mnist")


def photograph(indices: list[int], ink: tuple[int, int, int]) -> np.ndarray:
    """Write digits of MNIST on ruled paper; return uint8 (200, 110 a digit, 3)."""
    strokes = np.zeros((200, 110 * len(indices), 1))
    for place, index in enumerate(indices):
        digit = Image.fromarray(mnist.test_images[index]).resize((110, 110), Image.Resampling.BICUBIC)
        top = 20 + rng.integers(60)
        strokes[top : top + 110, 110 * place : 110 * place + 110, 0] = np.asarray(digit) / 255
    height, width = strokes.shape[:2]
    paper = np.ones((height, width, 3)) * (235, 230, 215)
    paper[20::60] = (150, 170, 205)  # the rules
    light = np.linspace(0.6, 1, width) * np.linspace(0.85, 1, height)[:, None]
    noise = rng.normal(0, 4, (height, width, 1))
    image = (paper + strokes * (np.array(ink) - paper)) * light[:, :, None] + noise
    return np.clip(image, 0, 255).astype(np.uint8)


figure = Figure(figsize=(9, 6.4), layout="constrained")
for row, (index, ink) in enumerate([(3, (30, 40, 120)), (7, (90, 90, 90))]):
    image = photograph([index], ink)
    Image.fromarray(image).save(f"digit-{row}.png")
    strokes = find_strokes(image)
    digit = skconv.normalize_digit(image)
    steps = [image, strokes, clean_strokes(strokes), digit]
    titles = ["as it came", "ink against paper", "one digit, no rules", "as MNIST was made"]
    for column, (title, image) in enumerate(zip(titles, steps, strict=True)):
        axes = figure.add_subplot(2, 4, 4 * row + column + 1)
        axes.imshow(image, cmap="gray")
        axes.set_title(f"{title}\n{image.shape[0]}×{image.shape[1]}", fontsize=9)
        axes.set_axis_off()
figure.savefig("steps.png", dpi=100)
print(skconv.predict("digits", ["digit-0.png", "digit-1.png"]))

number = [1, 5, 7, 9, 18, 30]
Image.fromarray(photograph(number, (40, 40, 60))).save("line.png")
text = skconv.read("line.png", annotate="number.png").text
print(f"read {text}, written {''.join(str(mnist.test_labels[index]) for index in number)}")
