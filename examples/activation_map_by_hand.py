"""What a convolution computes, by hand: the activation map of a small image under a filter.

A filter is a small matrix of weights. It is laid on the image; the numbers that lie on each other are multiplied,
and the products are summed up: one element of the activation map. Then the filter moves on. The map has one element
for each placement of the filter, so its size is the number of placements in each direction. (Mathematicians turn the
filter by 180 degrees first; networks, which learn their filters anyway, do not.)

Run it:

    python examples/activation_map_by_hand.py
"""

import torch

# A vertical stroke, and a filter that answers to edges: dark on the left and bright on the right is positive.
IMAGE = [
    [0.0, 0.0, 9.0, 9.0, 0.0, 0.0],
    [0.0, 0.0, 9.0, 9.0, 0.0, 0.0],
    [0.0, 0.0, 9.0, 9.0, 0.0, 0.0],
    [0.0, 0.0, 9.0, 9.0, 0.0, 0.0],
    [0.0, 0.0, 9.0, 0.0, 0.0, 0.0],
]
FILTER = [
    [-1.0, 0.0, 1.0],
    [-2.0, 0.0, 2.0],
    [-1.0, 0.0, 1.0],
]


def pad(image, padding):
    """Return the image with a frame of zeros, `padding` wide."""
    width = len(image[0]) + 2 * padding
    sides = [0.0] * padding
    above = [[0.0] * width for _ in range(padding)]
    below = [[0.0] * width for _ in range(padding)]
    return above + [sides + row + sides for row in image] + below


def count_placements(length, filter_length, stride):
    """Return how often a filter fits along one side when it moves by `stride` each time."""
    # The first placement, and one more for each whole stride that is left.
    return (length - filter_length) // stride + 1


def activation_map(image, weights, stride=1, padding=0):
    """Return the activation map, element by element."""
    image = pad(image, padding)
    height = count_placements(len(image), len(weights), stride)
    width = count_placements(len(image[0]), len(weights[0]), stride)
    result = []
    for row in range(height):
        result.append([])
        for column in range(width):
            # The filter's upper left corner lies here:
            top, left = row * stride, column * stride
            element = 0.0
            for i in range(len(weights)):
                for j in range(len(weights[0])):
                    element += weights[i][j] * image[top + i][left + j]
            result[row].append(element)
    return result


def activation_map_of_torch(image, weights, stride=1, padding=0):
    """Return the same map, computed by the layer that networks are made of."""
    height, width = len(weights), len(weights[0])
    layer = torch.nn.Conv2d(1, 1, kernel_size=(height, width), stride=stride, padding=padding, bias=False)
    with torch.no_grad():
        # A layer can have many filters and channels: weights are (filters, channels, height, width).
        layer.weight.copy_(torch.tensor(weights)[None, None])
        # And it takes many images at once: (images, channels, height, width).
        return layer(torch.tensor(image)[None, None])[0, 0].tolist()


def show(title, matrix):
    """Print a matrix under its title and size."""
    print(f"{title}, {len(matrix)}×{len(matrix[0])}:")
    for row in matrix:
        print("  " + " ".join(f"{value:6.1f}" for value in row))


def compare(stride, padding):
    """Show the map by hand and by torch, and the largest difference of their elements."""
    by_hand = activation_map(IMAGE, FILTER, stride, padding)
    by_torch = activation_map_of_torch(IMAGE, FILTER, stride, padding)
    print(f"\n--- stride {stride}, padding {padding}")
    show("Activation map by hand", by_hand)
    show("Activation map by torch", by_torch)
    difference = max(
        abs(one - other)
        for row, other_row in zip(by_hand, by_torch, strict=True)
        for one, other in zip(row, other_row, strict=True)
    )
    print(f"Largest difference: {difference}")


def main():
    """Show the image, the filter, and two ways to move one over the other."""
    show("Image", IMAGE)
    show("Filter", FILTER)
    # 5 rows hold a filter of 3 rows in 5 - 3 + 1 = 3 places, and 6 columns hold it in 4: a map of 3×4.
    compare(stride=1, padding=0)
    # With a frame of zeros the image is 7×8, and the filter moves by 2: (7 - 3) // 2 + 1 = 3 rows, and 3 columns.
    compare(stride=2, padding=1)


if __name__ == "__main__":
    main()
