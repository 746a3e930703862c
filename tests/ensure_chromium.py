"""Install a browser for the tests where there is none: Debian's chromium, through apt-get."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Return the path of an installed browser: $CHROMIUM, or one of the usual names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    """Return 0 when a browser is there or could be installed."""
    if find():
        return 0
    if shutil.which("apt-get"):
        prefix = [] if os.geteuid() == 0 else ["sudo"]
        quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"LC_ALL": "C"}}
        print("installing chromium for the browser tests", flush=True)
        subprocess.run([*prefix, "apt-get", "update", "-qq"], check=True, **quiet)
        install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "-y"]
        subprocess.run(
            [*prefix, *install, "--no-install-recommends", "chromium", "fonts-dejavu-core"],
            check=True,
            **quiet,
        )
    if find():
        return 0
    print(
        "No browser was found for the tests of the rendered book. Install Chromium or Chrome, or "
        "set CHROMIUM to its path, and run the command again.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
