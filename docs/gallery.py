"""Scraper of Matplotlib figures for sphinx-gallery that are not registered with pyplot."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

_SAVED: WeakSet[Any] = WeakSet()


def scrape_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figure that is the value of a block's last expression, as the functions of `skconv.reports` return it.

    Parameters
    ----------
    block, block_vars, gallery_conf
        As sphinx-gallery passes them to a scraper.

    Returns
    -------
    str
        The reStructuredText that shows the figure; empty if there is none.
    """
    from matplotlib.figure import Figure
    from sphinx_gallery.scrapers import figure_rst

    value = block_vars["example_globals"].get("___")
    # pyplot's figures have a manager and are saved by its own scraper; the value of an earlier block is still there.
    if not isinstance(value, Figure) or value.canvas.manager is not None or value in _SAVED:
        return ""
    _SAVED.add(value)
    path = next(block_vars["image_path_iterator"])
    value.savefig(path, dpi=100)
    return str(figure_rst([path], gallery_conf["src_dir"]))
