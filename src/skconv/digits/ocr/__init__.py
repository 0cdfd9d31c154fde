"""Recognition of handwritten numbers: lines, cuts, candidates and the best path over them."""
