"""Run benchmarks on a quiet machine, one after the other, and write RESULTS.md with what they found, as measured.

python benchmarks/results.py                every benchmark in its full size, a good hour
python benchmarks/results.py install boot   these; of the others what was measured last stays (results.json)
python benchmarks/results.py --quick        a minute each
python benchmarks/results.py --take FILE    the answer (`--json`) of a benchmark that was run by itself
python benchmarks/results.py --render       write RESULTS.md anew, and measure nothing
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import HERE, ROOT, machine, machine_markdown, run_markdown, say

Found = Mapping[str, Any]
NOT_MEASURED = "not measured yet"
KEPT = HERE / "results.json"

# Benchmark → the rows of its table: what is shown, and where it is in the JSON.
ROWS: dict[str, dict[str, str]] = {
    "swap_under_load": {
        "Requests": "requests",
        "**Failed** (goal: 0)": "failed",
        "Operations (upgrades, rollbacks, deactivations, activations)": "swaps",
        "Answers of a wrong version, of so many that said theirs": "wrong_versions witnessed",
        "Workers killed / stopped; requests lost with the killed": "killed stopped lost_with_a_worker",
        "Kept connections opened anew": "reconnects",
        "Rate, requests/s": "rate",
        "p50 before / during / after, ms": "phases.before.p50_ms phases.during.p50_ms phases.after.p50_ms",
        "p99 before / during / after, ms": "phases.before.p99_ms phases.during.p99_ms phases.after.p99_ms",
        "Longest before / during / after, ms": "phases.before.max_ms phases.during.max_ms phases.after.max_ms",
        "Upgrade p50 / p95, ms": "swap_times.upgrade.p50_ms swap_times.upgrade.p95_ms",
        "Rollback p50 / p95, ms": "swap_times.rollback.p50_ms swap_times.rollback.p95_ms",
        "Messages that WebSocket / event stream missed": "websocket.missing sse.missing",
        "Polite ends of WebSocket / event stream": "websocket.polite_ends sse.polite_ends",
        "Workers' memory before and after, MiB": "memory_mib.before memory_mib.after",
    },
    "overhead": {
        "**Smallest route, CPU ratio** (goal: 1.00 ± 0.02)": "ratio",
        "its quartiles": "spread.q1 spread.q3",
        "Plain / plugin, µs of CPU a request": "plain_us.median plugin_us.median",
        "A chat's route, CPU ratio": "chat.ratio",
        "A route of the host itself, CPU ratio": "host_route.ratio",
        "Noise: plain against plain, quartiles": "noise.q1 noise.q3",
        "CPU of an idle server, plain / with Hotbay, ms/s": "idle_cpu_ms_per_s.plain idle_cpu_ms_per_s.plugin",
    },
    "install": {
        "**AI chatbot: click to first 200 in every worker, p50 / p95, ms** (goal: p50 ≤ 50)": (
            "install_p50_ms install_p95_ms"
        ),
        "**AI chatbot: click to first 404 in every worker, p50 / p95, ms** (goal: p50 ≤ 50)": (
            "uninstall_p50_ms uninstall_p95_ms"
        ),
        "Smallest plugin: install p50 / p95, ms": "hello.install_p50_ms hello.install_p95_ms",
        "Smallest plugin: uninstall p50 / p95, ms": "hello.uninstall_p50_ms hello.uninstall_p95_ms",
        "AI chatbot: the click's own answer, install / uninstall p50, ms": (
            "install_answered_p50_ms uninstall_answered_p50_ms"
        ),
        "A fixed piece of Python between the rounds, p50, ms": "pace_ms",
        "Rounds; each worker is asked every so many ms": "rounds resolution_ms",
    },
    "boot": {
        "Plugins": "plugins",
        "**Start to first 200, ratio** (goal: ≤ 1.2)": "ratio",
        "Without / with plugins, p50, ms": "boot.none_p50_ms boot.many_p50_ms",
        "The same in CPU time, ratio": "cpu.ratio",
        "Start to a plugin's first 200, p50, ms": "serving_p50_ms",
        "Stop without / with plugins, p50, ms": "stop_p50_ms.none stop_p50_ms.many",
    },
    "stall": {
        "Operations": "operations",
        "**Longest stall of a worker's loop, ms** (goal: ≤ 20)": "max_stall_ms",
        "Operations' longest, p50 / p95, ms": "stall_p50_ms stall_p95_ms",
        "Install / upgrade / rollback, longest, ms": (
            "by_operation.install.max_ms by_operation.upgrade.max_ms by_operation.rollback.max_ms"
        ),
        "Activate / deactivate / uninstall, longest, ms": (
            "by_operation.activate.max_ms by_operation.deactivate.max_ms by_operation.uninstall.max_ms"
        ),
        "Most CPU time that a worker had within a stall, ms": "max_cpu_in_a_stall_ms",
        "Of the longest: the machine took away, steps of 10 ms; a processor ran nobody, ms": (
            "max_stall.stolen_ms max_stall.still_ms"
        ),
        "**Longest without what a processor ran nobody, ms** (goal: ≤ 20)": "max_own_stall_ms",
        "Beside a process that computes, without operations: longest, and p50 of seconds, ms": (
            "baseline_busy.max_stall_ms baseline_busy.stall_p50_ms"
        ),
        "Without operations: longest, of that taken away, and p50 of seconds, ms": (
            "baseline.max_stall_ms baseline.max_stall.stolen_ms baseline.stall_p50_ms"
        ),
    },
    "backup": {
        "Rows of the plugin": "rows",
        "**Backup, s** (goal: ≤ 2)": "backup_s",
        "**Reverted, code and rows, s** (goal: ≤ 5)": "reverted_s",
        "A backup put in place, s": "restore_s",
        "An exclusive upgrade that changes every row, its backup included, s": "upgrade_s",
        "SQLite's own copy of the database, s": "copy_s",
        "Backup / restore / reverted against that copy, ratio": "backup_ratio restore_ratio reverted_ratio",
        "The rows came back as they were": "same",
    },
    "browser_swap": {
        "**Switch to paint, all below, p50 / p95, ms** (goal: 50 / 100)": "all.p50_ms all.p95_ms",
        "Install: menu entry / page / widget, p50, ms": (
            "install.menu.p50_ms install.page.p50_ms install.widget.p50_ms"
        ),
        "Install: menu entry / page / widget, p95, ms": (
            "install.menu.p95_ms install.page.p95_ms install.widget.p95_ms"
        ),
        "Upgrade: menu entry / page / widget, p50, ms": (
            "upgrade.menu.p50_ms upgrade.page.p50_ms upgrade.widget.p50_ms"
        ),
        "Upgrade: menu entry / page / widget, p95, ms": (
            "upgrade.menu.p95_ms upgrade.page.p95_ms upgrade.widget.p95_ms"
        ),
        "Removal: menu entry / page / widget, p50, ms": (
            "removal.menu.p50_ms removal.page.p50_ms removal.widget.p50_ms"
        ),
        "Removal: menu entry / page / widget, p95, ms": (
            "removal.menu.p95_ms removal.page.p95_ms removal.widget.p95_ms"
        ),
        "Rounds; error of the clocks at most, ms": "rounds clock_ms",
        "**Last of so many tabs of a browser, longest, ms** (goal: 1000)": "tabs.count tabs.last_tab_max_ms",
        "Last tab, p50, install / upgrade / removal, ms": "tabs.install.p50_ms tabs.upgrade.p50_ms tabs.removal.p50_ms",
        "**First load of the shell, compressed, homepage / console, KB** (goal: ≤ 300)": (
            "homepage.shell_kb console.shell_kb"
        ),
        "The host's own pages / all that is fetched, homepage, KB": "homepage.host_kb homepage.all_kb",
        "First / largest contentful paint, homepage, ms": "homepage.first_paint_ms homepage.largest_paint_ms",
        "First / largest contentful paint, console, ms": "console.first_paint_ms console.largest_paint_ms",
    },
    "soak": {
        "Minutes": "minutes",
        "**Histories that are not as the model says** (goal: 0)": "failed",
        "**Requests that got a wrong answer at their moment** (goal: 0)": "refused_requests",
        "Histories / requests": "histories requests",
        "Operations / by the folder's watcher / killed": "operations operations_of_the_watcher kills",
    },
    "torture": {
        "Fault points of all operations": "points",
        "Trials / done": "trials done",
        "Processes killed with SIGKILL": "kills",
        "**Torn: neither the old nor the new state** (goal: 0)": "torn",
        "What was torn": "failures",
        "**Acknowledged rows lost** (goal: 0)": "lost_rows",
        "Rows acknowledged meanwhile": "acknowledged",
        "Ended in the old / the new state": "old new",
        "Killed: actor / actor beside a worker / worker / recovery / at random times": (
            "by_who.actor.kills by_who.busy_actor.kills by_who.worker.kills by_who.recovery.kills "
            "by_who.by_chance.kills"
        ),
    },
    "leak": {
        "Cycles (an upgrade and a rollback each)": "cycles",
        "**Memory after the warm-up, grown by MB** (goal: < 10)": "rss_growth_mb",
        "**Generations alive at the end** (goal: 0)": "alive",
        "Memory at the start / after the warm-up / at the end, MB": "rss_mb.start rss_mb.warm rss_mb.end",
        "p50 of requests, first / last tenth, ms": "p50_ms.first_tenth p50_ms.last_tenth",
        "their ratio (goal: 1)": "latency_ratio",
        "Requests / failed": "requests failed",
    },
}


def take(found: Found | None, path: str) -> str:
    """The values at some paths of an answer, for people."""
    if found is None:
        return NOT_MEASURED
    return " / ".join(_show(_at(found, one)) for one in path.split())


def _at(found: Any, path: str) -> Any:
    """A number in an answer; an answer of before it was counted lacks it."""
    for name in path.split("."):
        if name not in found:
            return NOT_MEASURED
        found = found[name]
    return found


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(" ".join(str(item).split()) for item in value) or "-"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def render(found: Mapping[str, Found]) -> str:
    """The document."""
    described = next(iter(found.values()))["machine"] if found else machine()
    lines = [
        "# Results",
        "",
        "Written by `python benchmarks/results.py`, as measured; nothing was picked or repeated. Ratios and yes or no",
        "carry over to other machines, milliseconds do not. What each number means stands at the top of its benchmark.",
        "",
        "## Machine",
        "",
        machine_markdown(described),
    ]
    for name, rows in ROWS.items():
        answer = found.get(name)
        lines += ["", f"## {name}", "", _run(name, answer), "", "| | |", "| --- | --- |"]
        lines += [f"| {title} | {take(answer, path)} |" for title, path in rows.items()]
    return "\n".join(lines) + "\n"


def _run(name: str, answer: Found | None) -> str:
    """How and when it was measured, for each benchmark by itself: they need not be of one day."""
    if answer is None:
        return f"`python benchmarks/{name}.py --json`"
    command = " ".join(["python", f"benchmarks/{name}.py", *answer.get("arguments", ["--json"])])
    return f"`{command}` — {run_markdown(answer['machine'])}"


def measure(name: str, size: str) -> Found:
    """Run one benchmark. Raises RuntimeError when it gives no answer."""
    say(f"── {name}")
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *([f"--{size}"] if size != "full" else [])]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, env=dict(os.environ))
    return answer_in(told.stdout, f"{name} (exit code {told.returncode})")


def answer_in(text: str, whose: str) -> Found:
    """The answer on the last line of what a benchmark printed. Raises RuntimeError when there is none."""
    lines = text.splitlines()
    if not lines:
        raise RuntimeError(f"{whose} gave no answer")
    answer: Found = json.loads(lines[-1])
    return answer


def remembered() -> dict[str, Found]:
    """What was measured last, by benchmark."""
    return dict(json.loads(KEPT.read_text(encoding="utf-8"))) if KEPT.exists() else {}


def write(found: Mapping[str, Found], out: Path) -> None:
    """Keep the answers, and make the document of them."""
    KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    out.write_text(render(found), encoding="utf-8")
    say(f"written: {out}")


def main() -> None:
    """Measure and write; after each benchmark, so that one that fails takes nothing away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true")
    size.add_argument("--tiny", action="store_true", help="only to see that it works")
    size.add_argument("--render", action="store_true", help="measure nothing")
    size.add_argument("--take", type=Path, action="append", metavar="FILE", help="what a benchmark printed")
    parser.add_argument("names", nargs="*", metavar="BENCHMARK", help=", ".join(ROWS))
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in ROWS]:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    name = "quick" if options.quick else "tiny" if options.tiny else "full"
    found = remembered()
    for file in options.take or ():
        answer = answer_in(file.read_text(encoding="utf-8"), str(file))
        found[str(answer["benchmark"])] = answer
    for one in () if options.take or options.render else options.names or ROWS:
        found[one] = measure(one, name)
        write(found, options.out)
    write(found, options.out)


if __name__ == "__main__":
    main()
