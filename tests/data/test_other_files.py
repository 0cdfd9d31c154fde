"""Files in formats that are not read."""

import pickle

import pytest
from PIL import Image

from skconv.data.loading import load_dataset
from skconv.data.other_files import describe_other
from skconv.exceptions import DataError


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("a.tar.gz", b"\x1f\x8b", "Unpack it"),
        ("a.download", b"PK\x03\x04", "Unpack it"),
        ("labels.csv", b"PK\x03\x04\0\0", "Unpack it"),
        ("labels.xlsx", b"PK\x03\x04", "Save the sheet as CSV"),
        ("a.parquet", b"PAR1", "Save it as CSV"),
        ("train.h5", b"\x89HDF\r\n\x1a\n", "h5py.*numpy.savez"),
        ("train_32x32.mat", b"MATLAB 5.0", "loadmat.*numpy.savez"),
        ("train.tfrec", b"", "TFRecordDataset.*numpy.savez"),
        ("a-train.tfrecord-00000-of-00002", b"", "TFRecordDataset.*numpy.savez"),
        ("data.mdb", bytes(16) + b"\xde\xc0\xef\xbe", "lmdb.*numpy.savez"),
        ("labels.mdb", b"\0\1\0\0Standard Jet DB", "pandas"),  # of Microsoft Access
        ("data_batch_1", pickle.dumps([1], protocol=2), "refused.*numpy.savez"),
        ("metadata.jsonl", b"{}", "as CSV"),
        ("a.mp4", b"", "frames"),
    ],
)
def test_error_states_what_to_do(tmp_path, name, start, message):
    (tmp_path / name).write_bytes(start + bytes(300))
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path / name)
    if name != "labels.csv":  # a folder that may have a table of labels
        with pytest.raises(DataError, match=f"no folder per class.*{name}.*{message}"):
            load_dataset(tmp_path)


@pytest.mark.parametrize("name", ["labels.xlsx", "train.parquet", "imagelabels.mat", "labels.json", "labels.pkl"])
def test_file_that_may_have_the_labels_of_images_is_to_be_saved_as_csv(tmp_path, samples, name):
    samples.class_folders(tmp_path, "images", n=4)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=f"If .*{name} has the labels, save .* as CSV, and pass the CSV file"):
        load_dataset(tmp_path)


def test_one_image_is_not_a_data_set(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "digit.png")
    with pytest.raises(DataError, match=r"is one image.*'skconv predict'"):
        load_dataset(tmp_path / "digit.png")


def test_describe_other_is_none_for_unknown_and_missing_files(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    assert describe_other(tmp_path / "a.bin") is None
    assert describe_other(tmp_path / "missing") is None
