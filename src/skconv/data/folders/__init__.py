"""Reader of folders of images: class folders, splits, copies."""
