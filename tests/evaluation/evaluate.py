#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
evaluate.py [SET...]: run the detectors on data whose truth is known, print how well they
do, and keep it in results.md. Sets: tuning, used, final, day, used-day, final-day, ablation,
captures, live; all of them by default. Traffic is generated anew, in $TMPDIR.

Thresholds and detectors may be changed to do better on tuning, used, their days and ablation
only.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import traffic
from matching import match, tally
from report import (detector_table, kind_table, problems, share, table, write_section)

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROBE = ROOT / "xflow-probe"
CAPTURES = pathlib.Path(os.environ.get("XFLOW_CAPTURES", ROOT.parent / "shared/captures"))
RESULTS = HERE / "results.md"

# What an operator of the generated site says of it; everything else is as it comes.
SITE = {"local_networks": ["10.0.0.0/8", "2001:db8::/32"]}

# What each filter is worth: the key that switches it off
ABLATION = (
    ("all on", {}),
    ("our own hosts may not fail at more addresses", {"scan": {"local_factor": 1}}),
    ("no networks are ours", {"local_networks": ["127.0.0.0/8"]}),
    ("failed contacts count for a minute only", {"scan": {"window_s": 60}}),
    ("UDP without ICMP is no evidence", {"scan": {"udp": 1000}}),
    ("ICMP is no evidence of a scan by UDP", {"scan": {"unreachable": 1000}}),
    ("no slow scans", {"scan": {"slow": 200}}),
    ("a flood may have its handshakes completed", {"syn_flood": {"completed_pct": 99}}),
    ("two reflectors suffice", {"ddos": {"reflectors": 2}}),
    ("one broken packet suffices", {"violation": {"packets": 1}}),
    ("no scan detector", {"scan": {"enabled": False}}),
    ("no SYN flood detector", {"syn_flood": {"enabled": False}}),
    ("no volume and reflection detectors", {"ddos": {"enabled": False}}),
    ("no violation detector", {"violation": {"enabled": False}}),
)


def existing_detectors():
    """By what the probe itself says it can do; a key that cannot be true is of none."""
    page = (ROOT / "man/xflow.yaml.5").read_text(encoding="utf-8")
    return [d for d in ("beacon", "exfiltration")
            if f"anomaly.{d}.enabled\n" in page and
            "Allowed: false | true" in page.split(f"anomaly.{d}.enabled\n")[1].split(".It Va")[0]]


def missing_detectors():
    return tuple(d for d in ("beacon", "exfiltration") if d not in existing_detectors())


def detect(capture, folder, keys):
    """The events of a capture, with all detectors on but for keys under anomaly."""
    config = {"enabled": True} | SITE | {d: {"enabled": True} for d in existing_detectors()} | keys
    path = pathlib.Path(tempfile.mkstemp(suffix=".yaml", dir=folder)[1])
    path.write_text(json.dumps({"anomaly": config}), encoding="ascii")  # YAML is a superset
    began = time.monotonic()
    done = subprocess.run([PROBE, "-c", path, "-r", capture, "-o", "none"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        sys.exit(f"xflow-probe -r {capture} failed: {done.stderr}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [e for e in events if e["type"] == "event"], time.monotonic() - began


def run_generated(name, seed, variants):
    """[(labels, told)] of each variant of the configuration; and seconds of the probe."""
    with tempfile.TemporaryDirectory(prefix="xflow-evaluate.") as folder:
        capture, labels = traffic.generate(name, seed)
        n = capture.write(f"{folder}/pcap")
        del capture
        runs, slowest = [], 0
        for keys in variants:
            events, took = detect(f"{folder}/pcap", folder, keys)
            runs.append((labels, match(labels, events)))
            slowest = max(slowest, took)
    return runs, n, slowest


def run_seeds(name, seeds, variants=({},)):
    """For each seed what run_generated() returns, two at a time."""
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        return list(pool.map(run_generated, [name] * len(seeds), seeds, [variants] * len(seeds)))


def about(seeds, results):
    frames = sum(n for _, n, _ in results)
    seeds_text = ", ".join(str(s) for s in seeds)
    return [f"Seeds {seeds_text}: {frames} packets, {sum(len(r[0][0]) for r, _, _ in results)} "
            f"incidents.", ""]


def mixed(title, seeds):
    results = run_seeds("mixed", seeds)
    runs = [r[0] for r, _, _ in results]
    named = [(f"seed {s}", run) for s, run in zip(seeds, runs)]
    without = missing_detectors()
    hours = len(seeds) * traffic.MIXED_S / 3600
    false = sum(len(one.false) for one in tally(runs).values())
    lines = about(seeds, results) + detector_table(runs, without)
    lines += ["", f"False alarms: {false} in {hours:.0f} h, {false / hours:.2f} an hour.", ""]
    lines += kind_table(runs, without) + [""] + problems(named, without)
    return title, lines


def day(title, seed):
    (runs, frames, _), = run_seeds("benign-day", (seed,))
    told = runs[0][1]
    lines = [f"Seed {seed}: {frames} packets in 24 h, no incident.", "",
             f"False alarms: {len(told)}, {len(told) / 24:.2f} an hour."]
    lines += [f"- {t.last['class']} {t.last['subclass']}, {t.source or '-'} to "
              f"{t.destination or '-'}: {t.last['reason']}" for t in told]
    return title, lines


def ablation():
    seed = traffic.TUNING_SEEDS[0]
    filters = ABLATION + tuple((f"no {d} detector", {d: {"enabled": False}})
                               for d in existing_detectors())
    variants = tuple(keys for _, keys in filters)
    (runs, _, _), = run_seeds("mixed", (seed,), variants)
    (days, _, _), = run_seeds("benign-day", (traffic.DAY_SEED,), variants)
    without, rows = missing_detectors(), []
    for (name, keys), run, quiet in zip(filters, runs, days):
        of = [one for detector, one in tally([run]).items() if detector not in without]
        found, n = sum(len(one.found) for one in of), sum(one.labels for one in of)
        rows.append([name, f"`{json.dumps(keys)}`" if keys else "", f"{found}/{n}",
                     f"{sum(one.right()[0] for one in of)}/{found}",
                     sum(len(one.false) for one in of), len(quiet[1])])
    return "Ablation", [f"Seed {seed} of the mix and the day of seed {traffic.DAY_SEED}, each filter "
                        "off in turn.", ""] + table(
        ["without", "keys under anomaly", "found", "right", "false alarms in the mix", "in the day"],
        rows)


def captures(folder):
    """What is in the captures of others was read from them by hand, see captures.json."""
    expected = json.loads((HERE / "captures.json").read_text(encoding="ascii"))
    rows, right = [], 0
    for name, wanted in expected.items():
        if not name.startswith(folder + "/") or not (CAPTURES / name).exists():
            continue
        with tempfile.TemporaryDirectory(prefix="xflow-evaluate.") as scratch:
            told = match([], detect(CAPTURES / name, scratch, {})[0])
        got = sorted(f"{t.last['class']} {t.last['subclass']} at {t.destination or '-'}"
                     + (", spoofed likely" if t.last["evidence"].get("spoofedLikely") else "")
                     for t in told)
        right += got == sorted(wanted["events"])
        rows.append([name, wanted["why"], "; ".join(wanted["events"]) or "none",
                     "; ".join(got) or "none"])
    if not rows:
        return None
    return f"Captures of others: {folder}", \
        [f"As expected: {share(right, len(rows))}", ""] + \
        table(["capture", "what is in it", "expected", "told"], rows)


def live(tool):
    """Real tools in private namespaces; live.sh leaves events and labels."""
    with tempfile.TemporaryDirectory(prefix="xflow-evaluate.") as folder:
        done = subprocess.run([HERE / "live.sh", tool, folder], check=False, capture_output=True,
                              text=True)
        if done.returncode:
            print(f"live {tool}: {done.stdout}{done.stderr}")
            return None
        labels = [json.loads(line) for line in open(f"{folder}/labels", encoding="ascii")]
        events = [json.loads(line) for line in open(f"{folder}/events", encoding="ascii")]
    runs = [(labels, match(labels, [e for e in events if e["type"] == "event"]))]
    return f"Live: {tool}", detector_table(runs) + [""] + kind_table(runs) + [""] + \
        problems([("live", runs[0])])


SETS = {
    "tuning": (lambda: mixed("Generated mix, tuning seeds", traffic.TUNING_SEEDS),),
    "day": (lambda: day("Generated day without incidents, tuning seed", traffic.DAY_SEED),),
    "used": (lambda: mixed("Generated mix, seeds that were final once", traffic.USED_SEEDS),),
    "used-day": (lambda: day("Generated day without incidents, seed that was final once",
                             traffic.USED_DAY_SEED),),
    "final": (lambda: mixed("Generated mix, final seeds", traffic.FINAL_SEEDS),),
    "final-day": (lambda: day("Generated day without incidents, final seed",
                              traffic.FINAL_DAY_SEED),),
    "ablation": (ablation,),
    "captures": (lambda: captures("scans"), lambda: captures("floods")),
    "live": (lambda: live("nmap"), lambda: live("hping3")),
}


def main():
    for name in sys.argv[1:] or SETS:
        for measure in SETS[name]:
            section = measure()
            if section:
                print(f"## {section[0]}\n\n" + "\n".join(section[1]) + "\n", flush=True)
                write_section(RESULTS, *section)


if __name__ == "__main__":
    main()
