"""All figures, one after the other: ``python -m benchmarks [--quick]``. Each can be had alone: see FIGURES."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys

FIGURES: dict[str, tuple[list[str], list[str], str]] = {
    "against": (["--rounds", "3"], ["--rounds", "1", "--seconds", "2"], "tcpchat, InspIRCd, ngIRCd on the same loads"),
    "doors": ([], ["--quick"], "the same loads by IRC, the native protocol and WebSocket, plain and over TLS"),
    "growth": ([], ["--quick"], "cost over the length of the log, the size and number of rooms, the number of logins"),
    "crash": (["--rounds", "50"], ["--rounds", "5"], "kill -9 under load: nothing lost, doubled or out of order"),
    "powercut": ([], ["--short"], "power cuts and kill -9 on a disk that fails and lies: all that was told is true"),
    "hostile": ([], ["--short"], "every command of every door as fast as one core sends it, beside two who talk"),
    "tui": ([], ["--quick"], "the full-screen client: first paint, keys under load, memory"),
    "web": ([], ["--quick"], "the page: first message, long tasks under load"),
    "trust": ([], ["--quick"], "what TLS and password guesses cost"),
    "demo": ([], [], "seconds from nothing to the first delivered message"),
    "goals": ([], [], "all that was asked beside what these runs have measured"),
}


def main() -> int:
    lines = [f"  python -m benchmarks.{name:8} {about}" for name, (_, _, about) in FIGURES.items() if there(name)]
    parser = argparse.ArgumentParser(
        description="Measure everything that docs/performance.md quotes.",
        epilog="one by one:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="short runs: to see that all of it works")
    args = parser.parse_args()
    worst = 0
    for name, (full, quick, about) in FIGURES.items():
        if there(name):
            print(f"\n== {name}: {about}", flush=True)
            options = quick if args.quick else full
            worst = max(
                worst, subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode
            )
    return worst


def there(name: str) -> bool:
    return importlib.util.find_spec(f"benchmarks.{name}") is not None


if __name__ == "__main__":
    sys.exit(main())
