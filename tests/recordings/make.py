"""Makes the recordings that come with the host, in host/recordings.

`python tests/recordings/make.py`, to be run where `host` and a pytest with xdist and rerunfailures
are installed. What comes of it differs from time to time in times and in the names of runs; tests
go by what is in it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RECORDINGS = HERE.parent.parent / "host" / "recordings"

#: pytest's own arguments, by the name of the recording and of its suite.
ARGUMENTS: dict[str, list[str]] = {
    "outcomes": ["-p", "no:rerunfailures"],
    "xdist": ["-n", "2"],
    "reruns": ["--reruns", "2"],
    "unicode": [],
    "large-output": [],
    "interrupted": [],
    "broken": ["--continue-on-collection-errors"],
}


def record(name: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "suite"
        folder.mkdir()
        source = HERE / name.replace("-", "_")
        for file in source.iterdir():
            if file.is_file():
                # Under another name here, so that nobody takes them for tests of ours.
                (folder / file.name.replace(".py.txt", ".py")).write_bytes(file.read_bytes())
        host = str(Path(sys.executable).with_name("host"))
        command = [host, "run", "--sinks", "pubdir", "--set", "pubdir.dir=out", "--"]
        subprocess.run([*command, *ARGUMENTS[name]], cwd=folder, check=False)
        file = RECORDINGS / f"{name}.jsonl.gz"
        subprocess.run([host, "sink", "record", "last", file], cwd=folder, check=True)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or ARGUMENTS:
        record(wanted)
