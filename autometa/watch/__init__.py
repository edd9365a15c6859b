"""A page that follows a search while it runs: ``autometa watch RUN`` and ``autometa fit --watch``.

    page      what is shown, from the parts of the report, and watch.js, which asks for what is new
    server    the page over HTTP, by the standard library
    followed  what a search says of itself, told on and kept for the page
    options   the tuned numbers

Laws: only this machine hears it, and only who knows its token; it looks at the folder of the run and changes nothing;
what cannot be read is said on the page.
"""

from __future__ import annotations

from autometa.watch.followed import Followed
from autometa.watch.server import RunWatcher, watching

__all__ = ["Followed", "RunWatcher", "watching"]
