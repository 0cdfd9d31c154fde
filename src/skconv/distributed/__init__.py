"""One training in several processes: process group, collectives, layers synchronised over the batch."""
