"""The dead-man timer in the real exporter, with a real mail server."""

from pathlib import Path

import httpx
import yaml

from tests.support.monitoring.payloads import alert, payload
from tests.support.monitoring.smtp import receiving_mail
from tests.support.programs.exporter import serving
from tests.support.programs.processes import eventually

TOKEN = "t0p-s3cret-0123456789abcdef"


def test_people_hear_that_alerting_is_silent_and_that_it_is_back(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"alertmanager: {TOKEN}: alertmanager\n")
    token.chmod(0o600)
    with receiving_mail() as mailbox:
        told = {"from": "zope@example.org", "to": "admin@example.org"}
        smtp = {"host": "127.0.0.1", "port": mailbox.port, **told}
        actions = {"token_file": str(token), "watchdog": {"max_silence": "1s", "smtp": smtp}}
        config = tmp_path / "config.yml"
        config.write_text(yaml.safe_dump({"discover": False, "actions": actions}))
        flags = ("--config.file", config)
        with serving(tmp_path / "state", *flags, log=tmp_path / "log") as running:
            eventually(lambda: len(mailbox.mails) == 1)
            assert running.value("zope_watchdog_silent") == 1
            delivered = httpx.post(
                f"{running.url}/api/v1/alertmanager",
                json=payload(alert("ZopeWatchdog")),
                headers={"Authorization": f"Bearer {TOKEN}"},
                trust_env=False,
            )
            assert delivered.json()["alerts"][0]["outcome"] == "watchdog"
            eventually(lambda: len(mailbox.mails) >= 2)
            assert running.value("zope_watchdog_last_seen_timestamp_seconds")
    subjects = [str(mail["subject"]).rpartition(": ")[2] for mail in mailbox.mails[:2]]
    assert subjects == ["alerting is silent", "alerting is back"]
