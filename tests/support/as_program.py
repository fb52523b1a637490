"""A command that is a program of the program server: python -I -S as_program.py SOCKET CLAUDE PROGRAM ARGUMENTS ...

It has the program's standard streams and exit code, and passes on what asks it to end. It imports next to nothing.
"""

import json
import os
import signal
import socket
import sys


def main(address: str, claude: str, program: str, *arguments: str) -> int:
    request = {"program": program, "arguments": arguments, "environ": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109  pathlib takes longer than all the rest
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(address)
        socket.send_fds(server, [json.dumps({**request, "new_session": False, "claude": claude}).encode()], [0, 1, 2])
        pid = int(server.recv(32))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        code = int(server.recv(32))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
