"""Commands open the database of a running gateway and close it again; what is logged meanwhile stays in the log."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from gateway.log_entries import ClaimOutcome
from gateway.query_log import QueryLog
from service_runtime.database import migrate, open_engine
from tests.gateway.log_samples import entry

ANOTHER_PROCESS = """
import sys
from gateway.configuration import ConfigurationStore
from service_runtime.database import open_engine
store = ConfigurationStore(open_engine(sys.argv[1]))
store.load()
"""


async def test_command_beside_it_takes_nothing_away_from_a_running_log(tmp_path: Path, project_root: Path) -> None:
    file = tmp_path / "gateway.sqlite3"
    url = f"sqlite:///{file}"
    migrate(open_engine(url), "gateway")
    engine = open_engine(url, checkpoint_pages=0)
    log = QueryLog(engine)
    log.start()
    try:
        first = entry()
        assert (await log.record_request(first)).outcome is ClaimOutcome.NEW
        # A second connection of this process: opening it must not take away the locks of the first one.
        log.find(client=first.client, request_id=first.request_id)
        subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, url], cwd=project_root, check=True, timeout=60)
        second = entry(request_id="after-the-command")
        assert (await log.record_request(second)).outcome is ClaimOutcome.NEW
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
            kept = {row[0] for row in reader.execute("select request_id from entry")}
        assert kept == {first.request_id, second.request_id}
    finally:
        log.close()
