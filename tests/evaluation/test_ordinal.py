import pytest

from skconv.evaluation.ordinal import find_order


@pytest.mark.parametrize(
    ("ascending", "values"),
    [
        ("0 1 2 3 4", [0, 1, 2, 3, 4]),
        ("-1.5 2 10", [-1.5, 2, 10]),
        ("No_DR Mild Moderate Severe Proliferate_DR", [0, 1, 2, 3, 4]),
        ("NonDemented VeryMildDemented MildDemented ModerateDemented", [0, 1, 2, 3]),
        ("0-Normal 1-Doubtful 2-Mild 3-Moderate 4-Severe", [0, 1, 2, 3, 4]),
        ("unripe ripe overripe", [0, 1, 2]),
        ("YOUNG MIDDLE OLD", [0, 1, 2]),
        ("XS S M L XL", [0, 1, 2, 3, 4]),
        ("grade_0 grade_2 grade_10", [0, 2, 10]),
        ("stage1 stage2 stage3", [1, 2, 3]),
        ("10mm 20mm 50mm", [10, 20, 50]),
        ("0-2 3-9 10-19 20-29", [0, 1, 2, 3]),
        ("-1e308 2 1e400", [0, 1, 2]),  # differences overflow
    ],
)
def test_ordered_names_are_sorted_in_any_order_of_the_classes(ascending, values):
    names = ascending.split(" ")
    shuffled = sorted(names, key=lambda name: name[::-1])
    order = find_order(shuffled)
    assert list(order.names) == names
    assert [order.values[shuffled.index(name)] for name in names] == values
    assert [order.ranks[shuffled.index(name)] for name in names] == list(range(len(names)))


def test_names_of_several_words_are_ordered():
    names = ["under 3", "3 to 9", "10 to 19", "more than 19"]
    assert find_order(names[::-1]).names == tuple(names)
    assert find_order(["Stage III", "Stage I", "Stage II"]).names == ("Stage I", "Stage II", "Stage III")
    assert find_order(["1 star", "10 stars", "2 stars"]).names == ("1 star", "2 stars", "10 stars")


@pytest.mark.parametrize(
    "names",
    [
        ["1", "2"],  # two classes
        ["small", "large"],
        [str(digit) for digit in range(10)],  # digits
        [str(number) for number in range(100)],  # indices
        ["00000", "00001", "00002"],  # codes
        ["1", "1.0", "2"],  # equal numbers
        ["cat", "dog", "fish"],
        ["class 1", "class 2", "class 3"],
        ["A", "B", "C", "D"],
        ["low", "medium", "dog"],
        ["low risk", "medium size", "high tower"],  # different nouns
        ["none", "no", "mild"],  # equal levels
        ["mild", "low", "tiny"],  # different scales
        ["1-2", "1-3", "2-3"],
        ["", " ", "_"],
    ],
)
def test_names_without_a_certain_order_have_none(names):
    assert find_order(names) is None


def test_text_of_many_ordered_classes_is_short():
    assert str(find_order([str(age) for age in range(18, 90)])) == "18 < 19 < 20 < 21 < … < 89"
