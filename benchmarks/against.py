"""tcpchat against InspIRCd and ngIRCd on the wire they share, and its native protocol, in one run.

``python -m benchmarks.against [--rounds 3] [--only fan200,dm] [--seconds 3]``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import rig

SCENARIOS: dict[str, list[str]] = {
    "fan200": "fanout -n 201 -s 4 -w 32".split(),
    "fan1000": "fanout -n 1001 -s 4 -w 16".split(),
    "rooms": "fanout -n 200 -c 10 -s 200 -w 4".split(),
    "dm": "dm -n 200 -w 8".split(),
    "paced_fan": "fanout -n 201 -s 10 -w 50 -R 100".split(),
    "paced_dm": "dm -n 200 -w 8 -R 2000".split(),
    "connect": "connect -n 2000 -g 64".split(),
}
NATIVE: dict[str, list[str]] = {
    "native_dm": "dm -N -n 200 -w 16".split(),
    "native_fan200": "fanout -N -n 201 -s 4 -w 32".split(),
    "native_paced_dm": "dm -N -n 200 -w 8 -R 2000".split(),
    "native_one": "dm -N -n 2 -s 1 -w 1".split(),
    "native_connect": "connect -N -n 2000 -g 64".split(),
}
FIGURES = ("server_cpu_us_per_delivery", "deliveries_per_s", "sent_per_s")


def figures(report: dict[str, Any]) -> dict[str, float]:
    """The figures of one report that are quoted."""
    out = {key: float(report[key]) for key in FIGURES if key in report}
    for name, key in (("latency", ""), ("ack", "ack_"), ("registration", "")):
        if name in report:
            out[f"{key}p50_ms"] = report[name]["p50_us"] / 1e3
            out[f"{key}p99_ms"] = report[name]["p99_us"] / 1e3
    for key in ("server_cpu_us_per_connection", "connections_per_s", "rss_kib_per_connection", "deliveries_per_read"):
        if key in report:
            out[key] = float(report[key])
    out["ok"] = float(report["ok"])
    return out


def one(server: str, arguments: list[str], seconds: float) -> dict[str, float]:
    timed = [] if arguments[0] == "connect" else ["-t", str(seconds)]
    with rig.SERVERS[server]() as running:
        if not timed:  # what the first connections make a server load is not what a connection costs
            rig.load(running, ["connect", *arguments[1:-4], "-n", "200", "-g", "64"])
        return figures(rig.load(running, [*arguments, *timed]))


def run(only: set[str], rounds: int, seconds: float, servers: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """scenario -> server -> figure -> median over the rounds; the servers take turns."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name, arguments in {**SCENARIOS, **NATIVE}.items():
        if only and name not in only:
            continue
        who = ["tcpchat"] if name in NATIVE else servers
        rows: dict[str, list[dict[str, float]]] = {server: [] for server in who}
        for _ in range(rounds):
            for server in who:
                rows[server].append(one(server, arguments, seconds))
        table[name] = {
            server: {key: rig.median([row[key] for row in got if key in row]) for key in got[0]}
            for server, got in rows.items()
        }
        show(name, table[name])
    return table


def show(name: str, rows: dict[str, dict[str, float]]) -> None:
    for server, row in rows.items():
        text = "  ".join(f"{key}={value:.4g}" for key, value in row.items() if key != "ok")
        print(f"{name:16} {server:9} {'' if row.get('ok') else 'INCOMPLETE '}{text}", flush=True)
    ours, theirs = rows.get("tcpchat"), rows.get("inspircd")
    if ours and theirs:
        ratios = [f"{key} {ours[key] / theirs[key]:.2f}x" for key in ours if key != "ok" and theirs.get(key)]
        print(f"{name:16} ratio     {'  '.join(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--servers", default="tcpchat,inspircd,ngircd")
    parser.add_argument("--json", type=Path, default=rig.HERE / "out" / "against.json")
    args = parser.parse_args()
    servers = [name for name in args.servers.split(",") if rig.available(name)]
    only = set(filter(None, args.only.split(",")))
    disk = rig.fsync_probe(rig.generator().parent)
    print(f"fdatasync p50 {disk['p50_ms']:.2f} ms, p99 {disk['p99_ms']:.2f} ms; {rig.machine()}", flush=True)
    table = run(only, args.rounds, args.seconds, servers)
    if args.json.exists() and only:  # a part of the figures measured again: the others stay
        table = {**json.loads(args.json.read_text())["table"], **table}
    args.json.write_text(json.dumps({"machine": rig.machine(), "fdatasync": disk, "table": table}, indent=1))


if __name__ == "__main__":
    main()
