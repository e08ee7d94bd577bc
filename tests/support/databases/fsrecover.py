"""ZODB's own fsrecover, run on many files by one process."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# Where a file ends with a dot and less than eight bytes it never ends.
PROGRAM = """
import json, os, signal, sys
os.fsync = lambda descriptor: None
from ZODB import fsrecover

class Hangs(BaseException):
    pass

def hangs(number, frame):
    raise Hangs

signal.signal(signal.SIGALRM, hangs)
told = []
for source, target in json.load(sys.stdin):
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        fsrecover.recover(source, target)
        told.append("done")
    except SystemExit:
        told.append("refused")
    except Hangs:
        told.append("hangs")
    except Exception as error:
        told.append(repr(error))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
json.dump(told, sys.stderr)
"""


def fsrecover(files: Sequence[tuple[Path, Path]]) -> list[str]:
    """Recover each first file to the second; return how that ended: done, refused, hangs, error."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([(str(source), str(target)) for source, target in files]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )
    told: list[str] = json.loads(run.stderr[run.stderr.rindex("[") :])
    return told
