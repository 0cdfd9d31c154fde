"""
A convolution by hand
=====================

Compute the activation map of a small image under a filter, element by element, and compare it with torch.

A filter is a small matrix of weights. At each placement on the image, the sum of the products of overlapping numbers is
one element of the activation map. Its size is the number of placements in each direction. In mathematics, a convolution
flips the filter first. Networks learn their filters, so flipping is not needed.
"""

import torch

# A vertical stroke, and an edge filter: positive where the left is dark and the right is bright.
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
    """Return the image padded with zeros on each side."""
    width = len(image[0]) + 2 * padding
    sides = [0.0] * padding
    above = [[0.0] * width for _ in range(padding)]
    below = [[0.0] * width for _ in range(padding)]
    return above + [sides + row + sides for row in image] + below


def count_placements(length, filter_length, stride):
    """Return the number of placements of a filter along one side."""
    # The first placement, and one more for each whole stride that remains.
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
            # Upper left corner of the filter:
            top, left = row * stride, column * stride
            element = 0.0
            for i in range(len(weights)):
                for j in range(len(weights[0])):
                    element += weights[i][j] * image[top + i][left + j]
            result[row].append(element)
    return result


def activation_map_of_torch(image, weights, stride=1, padding=0):
    """Return the activation map computed by `torch.nn.Conv2d`."""
    height, width = len(weights), len(weights[0])
    layer = torch.nn.Conv2d(1, 1, kernel_size=(height, width), stride=stride, padding=padding, bias=False)
    with torch.no_grad():
        # Weights are (filters, channels, height, width).
        layer.weight.copy_(torch.tensor(weights)[None, None])
        # Images are (n, channels, height, width).
        return layer(torch.tensor(image)[None, None])[0, 0].tolist()


def show(title, matrix):
    """Print a matrix with its title and size."""
    print(f"{title}, {len(matrix)}×{len(matrix[0])}:")
    for row in matrix:
        print("  " + " ".join(f"{value:6.1f}" for value in row))


def compare(stride, padding):
    """Print both maps and the largest difference between their elements."""
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
    """Print the image, the filter, and the maps for two strides and paddings."""
    show("Image", IMAGE)
    show("Filter", FILTER)
    # A filter of 3 rows has 5 - 3 + 1 = 3 placements in 5 rows, and 4 in 6 columns: a map of 3×4.
    compare(stride=1, padding=0)
    # Padded to 7×8, with stride 2: (7 - 3) // 2 + 1 = 3 rows, and 3 columns.
    compare(stride=2, padding=1)


if __name__ == "__main__":
    main()
