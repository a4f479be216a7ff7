"""`python -m examples.vehicles --port 9090 --database FILE`: make the register and serve it until SIGTERM."""

import argparse
import signal
import sqlite3
import sys
from pathlib import Path

from examples.vehicles import register, service


def main() -> int:
    """Run the service; returns 0 after SIGTERM or Ctrl-C, 3 when the port is taken or the file cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m examples.vehicles", description="A register of vehicles by plate.")
    parser.add_argument("--port", type=int, default=9090, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file; made anew at each start")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        register.create(options.database)
        server = service.VehicleServer(options.port, register.Register(options.database))
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"vehicles: cannot start: {error}; check --port {options.port} and --database\n")
        return 3
    with server:
        sys.stderr.write(f"vehicles: http://127.0.0.1:{server.server_port}/placas\n")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
