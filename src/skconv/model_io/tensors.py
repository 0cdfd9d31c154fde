"""Read tensors from bytes that anyone may have made: safetensors, with a bounded header, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skconv.exceptions import ModelFileError

if TYPE_CHECKING:
    from torch import Tensor

MOST_HEADER = 2**20  # bytes; the names of some thousands of tensors


def read_tensors(content: bytes, where: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by their names.

    Parameters
    ----------
    content : bytes
        The file's content.
    where : str
        How errors name the file.

    Raises
    ------
    ModelFileError
        No safetensors file, or a header above 1 MiB.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    n_header = int.from_bytes(content[:8], "little")
    if len(content) < 8 or n_header > min(MOST_HEADER, len(content) - 8):
        raise ModelFileError(
            f"{where} is not a safetensors file (a header of {n_header:,} bytes in {len(content):,}, at most "
            f"{MOST_HEADER:,} are read). Copy the folder again, or train again."
        )
    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(
            f"{where} is not a safetensors file ({reason}). Copy the folder again, or train again."
        ) from error
