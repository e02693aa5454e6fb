"""What a message costs now, against another revision: machine instructions where valgrind is there, else CPU time.

python -m benchmarks.compare REVISION [--loads "native pairs,irc pairs"] [--messages 3200] [--rounds 5]

Each load (benchmarks.inprocess) runs without a network, with the sources of the one and of the other in turn, on the
libraries that are installed here. Instructions hardly depend on what else the machine does; of CPU time the least of
some rounds is taken, and on a busy machine even that says little.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.inprocess import LOADS

ROOT = Path(__file__).resolve().parent.parent
LOAD = Path(__file__).with_name("inprocess.py")
TIMEOUT = 600.0  # seconds of one load under valgrind


def sources(revision: str, folder: Path) -> Path:
    """The sources of a revision, unpacked."""
    done = subprocess.run(["git", "archive", revision, "src"], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as packed:
        packed.extractall(folder, filter="data")
    return folder / "src"


def run(source: Path, load: str, messages: int, before: list[str], **more: str) -> tuple[int, float]:
    """One run of one load: how many messages it were, and the microseconds of CPU of each."""
    command = [*before, sys.executable, str(LOAD), load, str(messages)]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONHASHSEED": "0", **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    sent, each = done.stdout.split()
    return int(sent), float(each)


def instructions(source: Path, load: str, messages: int) -> float:
    """Machine instructions a message, of all threads."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        sent, _ = run(source, load, messages, valgrind, COUNTED="1")
        counts = [int(total) for total in re.findall(r"^totals: (\d+)", out.read_text(), re.MULTILINE)]
    return sum(counts) / sent


def cpu(source: Path, load: str, messages: int) -> float:
    """Microseconds of CPU a message."""
    return run(source, load, messages, [])[1]


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("revision")
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--messages", type=int, default=3_200)
    parser.add_argument("--rounds", type=int, default=5, help="of CPU time; instructions are counted once")
    args = parser.parse_args()
    counted = shutil.which("valgrind") is not None
    print(f"| load, {'instructions' if counted else 'us of CPU'} a message | {args.revision} | now | ratio |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        both = sources(args.revision, Path(folder)), ROOT / "src"
        for load in args.loads.split(","):
            if counted:
                then, now = (instructions(source, load, args.messages) for source in both)
            else:
                rounds = [[cpu(source, load, args.messages) for source in both] for _ in range(args.rounds)]
                then, now = map(min, zip(*rounds, strict=True))
            print(f"| {load} | {then:,.0f} | {now:,.0f} | {now / then:.3f} |", flush=True)


if __name__ == "__main__":
    main()
