"""The official client under the settings of one call, and its exceptions as errors of ours.

It lives in a process of its own (`server`), whose globals it may set: the client keeps its settings in some.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from autometa.errors import AutoMetaError, InputError, OpenMLError, Problem
from autometa.openml.cache import Cache
from autometa.openml.process import ClientSettings, Tell
from autometa.openml.retry import NeedsNetwork, brief, retry_requests

KEY_NEEDED = "Set AUTOMETA_OPENML_KEY, or pass OpenML(key=...)."
# The server's codes for what it does not know.
UNKNOWN = {
    111: "dataset",
    151: "task",
    181: "flow",
    271: "dataset",
    281: "setup",
    361: "dataset",
    592: "suite",
    601: "suite",
}


class ClientSession:
    """The client, ready for one call.

    Args:
        settings: Of the call.
        seconds: That it may take.
        tell: Progress: what is fetched, repeated and waited for.
    """

    def __init__(self, settings: ClientSettings, seconds: float, tell: Tell) -> None:
        import logging
        import warnings

        os.environ.pop("OPENML_CACHE_DIR", None)
        if settings.cache:  # before the client is imported, so that it makes no other folder
            os.environ["OPENML_CACHE_DIR"] = settings.cache
        import openml

        warnings.simplefilter("ignore")
        logging.getLogger("openml").setLevel(logging.CRITICAL)
        config = openml.config
        config._setup()  # as the user's configuration file has it
        config.server = settings.server or config.server
        config.apikey = settings.key or config.apikey
        config.show_progress = False
        config.connection_n_retries = 1  # `retry_requests` repeats
        self.openml: Any = openml
        self.tell, self.offline, self.server = tell, settings.offline, config.server
        ends = time.monotonic() + seconds
        self.cache = Cache(Path(config.get_cache_directory()), offline=settings.offline, ends=ends, tell=tell)
        retry_requests(tell, offline=settings.offline)
        # The client throws a whole folder away when one request for a dataset fails. `Cache.purge` decides here.
        for module in (openml.utils, openml.datasets.functions):
            module._remove_cache_dir_for_id = _keep

    def final(self, error: Exception) -> bool:
        """Whether the server has said no, or `retry_requests` has given up: nothing that another attempt would fix."""
        import requests

        exceptions = self.openml.exceptions
        no = (exceptions.OpenMLServerError, exceptions.OpenMLPrivateDatasetError, requests.RequestException)
        return isinstance(error, (*no, NeedsNetwork))

    def translated(self, error: Exception) -> AutoMetaError:
        """An exception of the client's as an error of ours, with what to do."""
        import requests

        exceptions = self.openml.exceptions
        code = error.code if isinstance(error, exceptions.OpenMLServerException) else None
        if isinstance(error, exceptions.OpenMLNotAuthorizedError) or code in (102, 103, 105):
            what = f"refuses the key: {brief(error)}" if code else "needs a key"
            return InputError(Problem(self.server, what, KEY_NEEDED))
        if isinstance(error, exceptions.OpenMLPrivateDatasetError) or code == 112:
            return InputError(Problem(self.server, "the dataset is private", KEY_NEEDED))
        if code in UNKNOWN:
            what = re.sub(r".*/api/v1/(xml|json)/", "", str(getattr(error, "url", "")))
            what = what.replace("study/", "suite/")
            return InputError(Problem(f"openml:{what}", f"there is no such {UNKNOWN[code]} at {self.server}"))
        if isinstance(error, ValueError) and "entity type" in str(error):
            return InputError(Problem(self.server, "this is a study of runs, not a suite of tasks"))
        if isinstance(error, NeedsNetwork):
            return InputError(Problem(self.server, "is needed, but --offline was asked for", "Leave it out."))
        if isinstance(error, (requests.exceptions.ConnectionError, requests.exceptions.Timeout)):
            return OpenMLError(f"{self.server} cannot be reached: {brief(error)}. Try again later, or --offline.")
        if code is not None:
            return OpenMLError(f"{self.server} answers with error {code}: {brief(error)}.")
        return OpenMLError(f"{self.server} does not work as it should: {brief(error)}. Try again later, or --offline.")


def _keep(key: str, cache_dir: Path) -> None:
    """Takes the place of the client's function that throws a folder away."""
