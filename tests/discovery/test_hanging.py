"""The exporter beside a file system that hangs: nothing cures that, but it must be told."""

import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.faults.hanging import hanging
from tests.support.programs.exporter import serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.programs.require import require


def test_a_search_that_hangs_is_told_by_check_page_and_log_until_it_ends(tmp_path: Path) -> None:
    mounted = tmp_path / "nfs"
    mounted.mkdir()
    zope_conf = mounted / "etc/zope.conf"
    config = tmp_path / "zope-exporter.yml"
    # Declared, so that no other exporter of this host runs into it.
    config.write_text(
        f"discover: false\nsites: [{{name: shop, instances: [{{zope_conf: {zope_conf}}}]}}]\n"
    )
    told = f"has not ended yet: it looks at {zope_conf}; if that hangs, repair its file system"
    state, log = tmp_path / "state", tmp_path / "exporter.log"
    with ExitStack() as stack:
        end = stack.enter_context(require(lambda: hanging(mounted)))
        # Before the other: of two that look for one name the kernel keeps the second for good.
        checked = zope_exporter("check", "--config.file", config, state_dir=state)
        assert (checked.returncode, checked.stdout) == (2, "")
        assert told in checked.stderr
        before = time.time()
        exporter = stack.enter_context(serving(state, "--config.file", config, log=log))

        def success() -> float | None:
            return exporter.value("zope_collector_success", collector="discovery")

        def last() -> float:
            return exporter.value("zope_discovery_last_success_timestamp_seconds") or 0.0

        started = last()
        assert before < started < time.time()
        eventually(lambda: success() == 0, 60)
        assert last() == started
        end()
        eventually(lambda: success() == 1, 60)
        assert last() > started
    warnings = [line for line in log.read_text().splitlines() if "level=WARN" in line]
    assert [told in line for line in warnings].count(True) == 1
