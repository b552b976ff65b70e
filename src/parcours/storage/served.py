"""Where people read a page of the root: on the server of home and the reports, whose address is in the environment."""

import os


def served_page(path: str) -> str:
    """Address of a page under the root that the docs server serves, or the path as it is when it does not."""
    server, root = os.environ.get("PARCOURS_DATA_DOCS_URL"), os.environ.get("PARCOURS_ROOT")
    below = path.removeprefix(f"{(root or '').rstrip('/')}/")
    return f"{server.rstrip('/')}/{below}" if server and root and below != path else path
