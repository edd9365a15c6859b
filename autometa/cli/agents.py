"""AutoMeta for agents: ``autometa mcp``."""

import sys

from autometa.cli.app import Store, app
from autometa.cli.usage import Command


@app.command(cls=Command)
def mcp(store: Store = None) -> None:
    """Let an agent ask the memory, fit and predict (MCP).

    Speaks the Model Context Protocol on standard input and output; an agent's program starts it.
    """
    from autometa.extras import need

    need("mcp", "mcp")
    from autometa.agents import Agent, server

    if sys.stdin.isatty():
        print("autometa: an agent's program starts this and speaks to it; Ctrl-C ends it.", file=sys.stderr)
    server(Agent(store)).run("stdio")
