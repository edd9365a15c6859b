"""What the package says of itself on an index: the README, readable where its neighbours are not.

On an index a link to `docs/table.md` leads nowhere and a picture beside the README is not there. Once `repository` in
``[tool.hatch.metadata.hooks.custom]`` of ``pyproject.toml`` has an address, links lead there and `Project-URL` lines
are written; until then links are their words, and pictures are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {"Documentation": "docs/index.md", "Changelog": "CHANGELOG.md", "Issues": "/issues"}  # in the repository
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Sets the long description and the URLs while the wheel is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds both to the metadata."""
        repository = str(self.config.get("repository", "")).rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(readme, repository)}
        if repository:
            pages = {
                name: repository + place if place[0] == "/" else f"{repository}/blob/main/{place}"
                for name, place in PAGES.items()
            }
            metadata["urls"] = {"Homepage": repository, "Repository": repository, **pages}


def long_description(readme: str, repository: str) -> str:
    """The README without comments, whose links lead to a repository, or are their words where there is none.

    Example:
        >>> long_description("![ranks](a.svg)<!-- hidden -->[a table](docs/table.md), [Dask](https://dask.org)", "")
        'a table, [Dask](https://dask.org)'
        >>> long_description("![ranks](a.svg) [a table](docs/table.md#top)", "https://example.org/us")
        '![ranks](https://example.org/us/raw/main/a.svg) [a table](https://example.org/us/blob/main/docs/table.md#top)'
    """

    def absolute(found: re.Match[str]) -> str:
        picture, words, place = found.groups()
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/main/{place})"

    return LINK.sub(absolute, re.sub(r"<!--.*?-->\n*", "", readme, flags=re.DOTALL))
