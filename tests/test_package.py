"""What an index is told: a description that reads well there, and commands that install this package and no other."""

from __future__ import annotations

import doctest
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from autometa.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def hook():
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_has_no_comment_and_no_link_that_leads_nowhere(hook):
    assert doctest.testmod(hook).failed == 0
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](docs/table.md)" in readme
    for repository in ("", "https://example.org/autometa"):
        said = hook.long_description(readme, repository)
        assert "<!--" not in said
        places = re.findall(r"\]\(([^)]+)\)", said)
        assert all(place.startswith("https://") for place in places)
        assert len(said.splitlines()) > 150
    assert len(places) > 10


def test_urls_are_written_once_there_is_an_address(hook):
    for repository, there in (("", False), ("https://example.org/us/", True)):
        metadata = {}
        hook.ReadmeHook(str(ROOT), {"repository": repository}).update(metadata)
        assert metadata["readme"]["content-type"] == "text/markdown"
        assert ("urls" in metadata) == there
    assert metadata["urls"]["Issues"] == "https://example.org/us/issues"
    assert metadata["urls"]["Changelog"] == "https://example.org/us/blob/main/CHANGELOG.md"


def test_commands_that_install_an_extra_name_this_package_and_an_extra_that_is_there():
    extras = PROJECT["optional-dependencies"]
    assert set(EXTRAS) <= set(extras)
    found = 0
    folders = ("autometa", "docs", "integrations")
    for path in [ROOT / "README.md", *(file for folder in folders for file in (ROOT / folder).rglob("*"))]:
        if path.suffix in (".py", ".md", ".sh", ".yaml") and "_build" not in path.parts and path.is_file():
            text = path.read_text(encoding="utf-8")
            named = re.findall(r"(?<![\w./-])(autometa(?:-\w+)?)\[([a-z_,]+)\]", text)
            found += len(named)
            for name, asked in named:
                assert name == PROJECT["name"], f"{path}: {name} is somebody else's"
                assert set(asked.split(",")) <= set(extras), path
    assert found > 10
