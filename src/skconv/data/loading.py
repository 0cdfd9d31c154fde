"""`load_dataset`: images and labels from any source."""

from __future__ import annotations

import os
from typing import Any, Unpack

from skconv.data.dataset import Dataset
from skconv.data.spec import DataOptions, DataSpec
from skconv.data.tables.text import is_frame
from skconv.exceptions import ParameterError
from skconv.signature import expand_options


@expand_options(DataOptions)
def load_dataset(
    source: Any,
    *,
    normalize: str | None = None,
    download: bool = True,
    progress: bool = False,
    **options: Unpack[DataOptions],
) -> Dataset:
    """Load images and labels by name, from OpenML, from a file or folder, or from a data frame of file names.

    Parameters
    ----------
    source : str, path-like or data frame
        One of

        - the name of a known data set, such as ``"cifar10"`` or ``"medmnist:breastmnist"`` (see `list_datasets`); write
          ``./digits`` for a folder of that name;
        - ``"openml:NAME"`` or ``"openml:NUMBER"``;
        - a folder with one folder per class, or with folders ``train``, ``valid`` and ``test`` that contain class
          folders, see the guide "Your own images";
        - a folder with IDX files, raw or ``.gz``, such as those of MNIST or EMNIST, or one of these files;
        - a competition's folder: ``train.csv`` and ``test.csv`` with the pixels, or with the ids of images in the
          folders ``train`` and ``test``;
        - a table of pixels (``.csv``, ``.txt``, ``.data``), one image per row, with or without a header; or a folder
          with pixels and labels in two tables, such as ``X_train.csv`` and ``y_train.csv``;
        - a table or a data frame that lists image files and their labels;
        - an .npz with the arrays ``train_x, train_y, test_x, test_y`` (or Keras's ``x_train, y_train, …``), ``images,
          labels`` or ``X, y``, and optionally ``val_x, val_y``; or .npy or .npz files of one array with these names.
    normalize : str, optional
        Registered preprocessing step; ``"digit"`` converts images of digits to the form of MNIST, as
        `skconv.normalize_digit` does.
    download : bool, default=True
        Download a named data set if it is not on this machine.
    progress : bool, default=False
        Show progress bars on standard error, if that is a terminal.
    data_home : path-like, optional
        Folder searched first for named data sets, each in a subfolder of its name; by default the environment
        variable ``SKCONV_DATA``.
    images : path-like, optional
        Folder of the images that a table lists; by default the folder of the table and its subfolders.
    image_column : str, optional
        Header of the column with the names of the images, or its number from 1 in a table without a header; by
        default the column whose values are image files.
    label_column : str, optional
        Header or number of the label column, -1 for the last; by default the column "label", or the only column that
        can be the label.
    image_size : int, (height, width), (height, width, channels) or (channels, height, width), optional
        Size in pixels to which every image is resized. For images stored as rows, it is also their shape, which is
        required for images that are in colour or not square: channels last if the values of a pixel are adjacent, else
        channels first. By default, images that all have the same size, at most 64×64, are not resized; otherwise a size
        is chosen and printed.
    resize : {"pad", "crop", "stretch"}, default="pad"
        How an image of another aspect ratio is resized: "pad" adds a border in the mean colour of the image's border,
        "crop" cuts off both ends of the longer side, "stretch" changes the aspect ratio.
    skip_unreadable : bool, default=False
        Leave out image files that cannot be read, and missing files that a table lists, with a warning; by default, an
        error lists them.
    exclude : str or sequence of str, optional
        Patterns of files and folders to leave out of a folder, such as ``"*_mask.png"``, or ``"*.npy"`` to use the
        images of a folder that has arrays, too.
    class_level : int, optional
        Level of the class folders in a folder of images: 1 for the folders in the source, 2 for the folders in these;
        -1 for the folders that contain the image files. Folders of other levels are ignored, except splits. By
        default, the classes are the folders at the highest level with two or more folders.
    label_pattern : str, optional
        Regular expression with one group that finds the class in the name of each image file of a folder, such as
        ``"^(.+)_"``; files that do not match are left out with a warning. Folders named train, valid or test are
        splits, other folders are ignored.
    groups : str, optional
        Images that are not independent, such as those of one patient, which commands train on or hold out together:
        "none" for independent images; the header or number of a column of a table, also of a competition's; or, for
        another folder, a regular expression whose part in parentheses finds the group in the names of the image files,
        such as ``"^(p[0-9]+)_"``. By default, groups are found by the headers of columns and the names of files, see
        the guide "Your own images".
    min_class_size : int, optional
        Leave out classes with fewer training images than this, with a warning.
    drop_class : str or sequence of str, optional
        Classes to leave out.

    Returns
    -------
    Dataset
        Images uint8; labels as indices into `class_names`, which are sorted, by value if they are numbers. Large
        uncompressed files are memory-mapped. A competition has a `submission`, and a test split if its folder has
        ``answers.csv``.

    Raises
    ------
    SourceNotFoundError
        No such data set, file or folder; the message lists the places searched.
    DataError
        The source cannot be used; the message names the file, the line if possible, and the remedy.
    DownloadError
        OpenML cannot be reached.
    ParameterError
        Invalid options, such as a size below 1, or `images` or the name of a column for a source that is not a table.

    Examples
    --------
    >>> dataset = load_dataset("mnist")
    >>> dataset.train_images.shape, dataset.test_labels.shape
    ((60000, 28, 28), (10000,))
    """
    if is_frame(source):
        from skconv.data.formats import read_frame  # imports the readers of all formats

        spec = DataSpec(normalize=normalize, **options)
        spec.check_options()
        return spec.finish(read_frame(source, spec, progress))
    if source is not None and not isinstance(source, str | os.PathLike):
        raise ParameterError(
            f"The source is of type {type(source).__name__}; expected a name, a path or a data frame. Pass arrays to "
            "fit of an estimator, and read a list of image files with skconv.load_images."
        )
    return DataSpec(source, normalize=normalize, **options).load(download=download, progress=progress)
