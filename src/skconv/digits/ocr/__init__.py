"""Recognition of handwritten numbers: segmentation into lines and candidate digits, best path through candidates."""
