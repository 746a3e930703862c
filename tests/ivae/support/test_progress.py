"""The progress line is one line on a terminal and nothing in a file."""

import os
import pty
import subprocess
import sys

CODE = """
from ivae.support.progress import ProgressLine
line = ProgressLine("run")
line.report("one")
line.announce("halfway")
line.report_share(0.25)
line.close()
"""


def test_only_announcements_are_written_to_a_pipe():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"halfway\n", b"")


def test_a_terminal_sees_one_line_rewritten():
    parent, child = pty.openpty()
    subprocess.run([sys.executable, "-c", CODE], stderr=child, check=True)
    os.close(child)
    written = os.read(parent, 10_000).decode()
    os.close(parent)
    assert written.count("\n") == 2
    assert written.count("\r\x1b[2K") == 3
    assert "\x1b[2Khalfway" in written
    assert "run: 25 %, 0 s" in written


def test_an_interrupted_line_is_ended():
    code = "\n".join([
        "from ivae.support.progress import ProgressLine",
        "with ProgressLine('run') as line:",
        "    line.report('one')",
        "    raise KeyboardInterrupt",
    ])  # fmt: skip
    parent, child = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=child, check=False)
    os.close(child)
    written = os.read(parent, 10_000).decode()
    os.close(parent)
    assert "run: one, 0 s\r\n" in written
