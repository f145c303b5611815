#!/usr/bin/env python3
"""hyperllm and the peer in PyTorch side by side, in turn, on one machine, in one session; prints a Markdown table.

    python3 benchmarks/side_by_side.py --build build/dev --python VENV/bin/python

First it checks that both compute the same numbers. Needs PyTorch and NumPy in the Python named by --python, and
peer_step, run_bench and hyperllm in the build folder. Without the released data (--data) there is nothing to
compare on and it says so.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# glibc told to keep freed memory, never to map large blocks one by one, and to ask for huge pages: no change of code.
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:"
                           "glibc.malloc.top_pad=268435456:glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"}


def call(words, environment=None):
    done = subprocess.run([str(word) for word in words], env={**os.environ, **(environment or {})}, text=True,
                          stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"side_by_side: {' '.join(map(str, words))} failed")
    return done.stdout


def ours(arguments, folder):
    call([arguments.build / "benchmarks/run/run_bench", "--only-beauty", "--epochs", arguments.epochs, "--data",
          arguments.data, "--work", folder, "--json", folder / "ours.json", "--program",
          arguments.build / "bin/hyperllm"])
    row = json.loads((folder / "ours.json").read_text())[0]
    row["step_ms"] += row["sampling_ms_per_step"]
    return row


def peer(arguments, environment):
    return json.loads(call([arguments.python, HERE / "peer/peer.py", "run", "--json", "--data",
                            arguments.data / "amazon-beauty", "--epochs", arguments.peer_epochs, "--steps",
                            arguments.peer_steps], environment))


def spread(values, digits):
    values = sorted(values)
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({values[0]:,.{digits}f} to {values[-1]:,.{digits}f})"


COLUMNS = (("step_ms", "step, ms", 1), ("train_epoch_s", "steps of an epoch, s", 2),
           ("evaluation_ms", "validation, ms", 0), ("epoch_s", "epoch, s", 2), ("peak_mb", "peak memory, MB", 0))


def table(rows):
    best = statistics.median(run["epoch_s"] for run in rows["hyperllm"])
    lines = ["| | " + " | ".join(title for _, title, _ in COLUMNS) + " | epoch, ratio |", "|---" * 7 + "|"]
    for name, runs in rows.items():
        cells = [spread([run[key] for run in runs], digits) for key, _, digits in COLUMNS]
        ratio = statistics.median(run["epoch_s"] for run in runs) / best
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {ratio:.1f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/dev")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--data", type=pathlib.Path, default=HERE.parent.parent / "shared/data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20, help="of hyperllm in a round")
    parser.add_argument("--peer-epochs", type=int, default=2, help="of the peer in a round; the first warms up")
    parser.add_argument("--peer-steps", type=int, default=0, help="steps in an epoch of the peer, scaled; 0: all")
    parser.add_argument("--json", type=pathlib.Path, help="all figures")
    arguments = parser.parse_args()
    if not (arguments.data / "amazon-beauty").exists():
        sys.exit(f"side_by_side: {arguments.data} has no amazon-beauty")
    rows = {"hyperllm": [], "peer, tuned allocator": [], "peer, as installed": []}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        call([arguments.build / "benchmarks/peer/peer_step", folder / "step"])
        print(call([arguments.python, HERE / "peer/peer.py", "check", folder / "step"]), flush=True)
        for number in range(1, arguments.rounds + 1):
            rows["hyperllm"].append(ours(arguments, folder))
            rows["peer, tuned allocator"].append(peer(arguments, TUNED))
            rows["peer, as installed"].append(peer(arguments, {}))
            print(f"round {number} of {arguments.rounds}: epoch", ", ".join(
                f"{name} {runs[-1]['epoch_s']:.2f} s" for name, runs in rows.items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
