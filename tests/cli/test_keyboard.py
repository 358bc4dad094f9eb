"""A real terminal: one Ctrl-D that ends the input, and Ctrl-C in the middle."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

import pytest

TIMEOUT = 120  # seconds until a command counts as hanging; nobody waits that long


def typed(arguments: list[str], *, after: bytes, keys: bytes) -> tuple[int, str]:
    """The exit code, and what the terminal showed, where `keys` are pressed once it has shown `after`."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.environ.pop("COLUMNS", None)
        command = [sys.executable, "-c", "from ngramspec.cli import main; main()", *arguments]
        os.execv(sys.executable, command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown, pressed = b"", False
    try:
        while True:
            assert select.select([terminal], [], [], TIMEOUT)[0], shown
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # the other side is closed
                break
            if after in shown and not pressed:
                pressed = True
                os.write(terminal, keys)
    finally:
        os.close(terminal)
        if not pressed:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert pressed
    return os.waitstatus_to_exitcode(status), shown.decode()


ROW = json.dumps({"prompt_ids": [1, 2], "output_ids": [1, 2]}).encode()


@pytest.mark.parametrize(("keys", "code", "said"), [
    (b"\x04", 2, "a replay needs at least one recorded request"),
    (ROW + b"\n\x04", 0, "total"),
    (b"a\x04\x04", 2, "write one object"),
    (b"\x03", 130, "keyboard"),
])  # fmt: skip
def test_one_ctrl_d_ends_what_is_typed_and_ctrl_c_the_command(keys: bytes, code: int, said: str) -> None:
    ended, shown = typed(["replay", "-"], after=b"Ctrl-D", keys=keys)
    assert (code, True) == (ended, said in " ".join(shown.split())), shown
