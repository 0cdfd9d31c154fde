"""Files of models on the Hugging Face Hub or in local folders, for the networks `hf:OWNER/NAME`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skconv.exceptions import ModelFileError, ParameterError, missing_package
from skconv.files import expand_home
from skconv.text import format_error

HUB = "hf:"  # prefix of the names of these networks
CONFIG_NAME, PREPROCESSOR_NAME = "config.json", "preprocessor_config.json"
_WEIGHTS_NAME, _INDEX_NAME = "model.safetensors", "model.safetensors.index.json"
_SHARD_NAME = re.compile(r"model[\w-]*\.safetensors")
_COMMIT = re.compile("[0-9a-f]{40}")
_TIMEOUT = 5.0  # seconds until the hub must respond


def pin_revision(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a network with the commit of its repository, so that the same weights are loaded again.

    Options of other networks, and of folders, are returned unchanged.
    """
    if not name.startswith(HUB) or is_local(name) or options.get("config") is not None:
        return dict(options)
    import_transformers(name)
    return {**options, "revision": fetch(name, options.get("revision"), [CONFIG_NAME]).name}


def make_absolute(name: str) -> str:
    """Return the name of a network, with the absolute path of a folder, so that it is valid in any current folder.

    Examples
    --------
    >>> make_absolute("hf:/models/vit"), make_absolute("hf:owner/vit"), make_absolute("fast")
    ('hf:/models/vit', 'hf:owner/vit', 'fast')
    """
    if not name.startswith(HUB) or not is_local(name):
        return name
    return f"{HUB}{expand_home(name.removeprefix(HUB)).resolve()}"


def is_local(name: str) -> bool:
    """Return whether a network is a folder of this machine; such paths begin with ``.``, ``~`` or are absolute."""
    path = name.removeprefix(HUB)
    return path.startswith((".", "~")) or Path(path).is_absolute()


def fetch(name: str, revision: str | None, files: Sequence[str]) -> Path:
    """Return a folder with those of `files` that a network has; download them, or read them from the cache of the hub.

    The folder of a repository has the name of its commit. The first file is required. Without a connection, only the
    cache is searched.
    """
    path = name.removeprefix(HUB)
    if is_local(name):
        folder = expand_home(path)
        if not (folder / CONFIG_NAME).is_file():
            raise ParameterError(
                f"The network {name} is not a folder with {CONFIG_NAME}. Expected hf:OWNER/NAME of a model on the "
                "Hugging Face Hub, or the path of a folder written by save_pretrained of transformers."
            )
        return folder
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    local_only = False
    try:
        local_only = _is_cached(path, revision, files) or not _is_reachable(path, revision, files[0])
        folder = Path(hf_hub_download(path, files[0], revision=revision, local_files_only=local_only)).parent
        for file in files[1:]:
            _download_optional(path, file, folder.name, local_only=local_only)
    except Exception as error:  # errors of the hub and of its HTTP client have no common base class
        version = f" at revision '{revision}'" if revision else ""
        reason = format_error(error)
        if local_only and isinstance(error, LocalEntryNotFoundError):
            reason = "the hub cannot be reached, and its cache does not have all files"
        raise ParameterError(
            f"The network {name}{version} cannot be downloaded ({reason}). Check its name, the connection, "
            "and HF_HUB_OFFLINE; models that require consent need a token: run 'hf auth login'."
        ) from error
    return folder


def _is_cached(path: str, revision: str | None, files: Sequence[str]) -> bool:
    """Return whether the cache of the hub has all files of a commit, or the fact that the commit lacks them."""
    from huggingface_hub import try_to_load_from_cache

    is_commit = revision is not None and _COMMIT.fullmatch(revision)
    return bool(is_commit) and all(try_to_load_from_cache(path, file, revision=revision) for file in files)


def _is_reachable(path: str, revision: str | None, file: str) -> bool:
    """Return whether the hub responds, in any way, to one request; downloads repeat theirs for half a minute."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(path, file, revision=revision), timeout=_TIMEOUT)
    except HfHubHTTPError:
        return True
    except Exception:  # of the HTTP client, which depends on the version of huggingface_hub
        return False
    return True


def _download_optional(path: str, file: str, commit: str, *, local_only: bool) -> None:
    """Download a file of a repository, if the commit has it."""
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        hf_hub_download(path, file, revision=commit, local_files_only=local_only)
    except LocalEntryNotFoundError:
        # Without a connection, a file is missing for certain only if the cache contains this fact.
        if try_to_load_from_cache(path, file, revision=commit) is not _CACHED_NO_EXIST:
            raise
    except EntryNotFoundError:
        pass


def fetch_weights(name: str, revision: str | None) -> Path:
    """Return a folder with the weights of a network as safetensors, in one file or in several.

    Raise `ModelFileError` if it has none.
    """
    folder = fetch(name, revision, [CONFIG_NAME, _WEIGHTS_NAME])
    if (folder / _WEIGHTS_NAME).is_file():
        return folder
    folder = fetch(name, revision, [CONFIG_NAME, _INDEX_NAME])
    if not (folder / _INDEX_NAME).is_file():
        raise ModelFileError(
            f"{name} has no weights as safetensors; files of other formats could execute code. Choose another model, "
            "or convert it with save_pretrained of transformers."
        )
    shards = read_json(folder / _INDEX_NAME).get("weight_map")
    if not isinstance(shards, dict) or not all(_SHARD_NAME.fullmatch(str(each)) for each in shards.values()):
        raise ModelFileError(f"{folder / _INDEX_NAME} has no valid list of files. Download the model again.")
    return fetch(name, revision, [CONFIG_NAME, *sorted(set(shards.values()))])


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raise `ModelFileError` if it is invalid."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read as JSON ({format_error(error)}).") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} has no JSON object; expected the configuration of a model.")
    return content


def import_transformers(name: str) -> None:
    """Raise `ParameterError` unless the packages of the extra "hub" are installed."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when huggingface_hub is imported
    try:
        import huggingface_hub  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        package = "huggingface_hub" if error.name == "huggingface_hub" else "transformers"
        raise missing_package(f"the network '{name}'", package, "hub") from error
