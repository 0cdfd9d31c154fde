"""Words for splits, which the formats share."""

import pytest

from skconv.data.emnist import name_set
from skconv.data.npz_files import parse_names
from skconv.data.split_names import SPLIT_WORDS, split_name
from skconv.data.tables.splits import parse_split


@pytest.mark.parametrize(("word", "split"), SPLIT_WORDS.items())
def test_every_word_is_that_of_a_folder_array_file_and_cell(word, split):
    assert split_name(word) == (split, "")
    assert parse_names([f"{word}_images"]) == {(split, "images"): [f"{word}_images"]}
    assert name_set([word, "letters"]) == "letters"
    assert parse_split(word.capitalize()) == split
