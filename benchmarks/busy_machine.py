#!/usr/bin/env python3
"""How long a training takes beside other work, by number of threads; prints a Markdown table.

    benchmarks/busy_machine.py build/dev/bin/hyperllm
    benchmarks/busy_machine.py --loads 0,8 --rounds 7 OLD/hyperllm NEW/hyperllm

Makes a small dataset of its own and, for each load, starts that many endless loops, which no processor is set for and
which run at the same priority. Then trains with one thread, with two and with the default, in turn, in several
rounds. Of each it prints the median seconds of wall clock (and the least), and how often the default takes as long as
the better of one and two threads: of the medians and, since a machine's own noise moves those, of the least. With
several programs they take turns too.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

THREADS = (("one", ["--threads", "1"]), ("two", ["--threads", "2"]), ("default", []))


def call(words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"busy_machine: {' '.join(map(str, words))} failed:\n{done.stderr}")


def make_dataset(program, folder, users=3_000, items=1_500, interactions=60_000):
    draw = random.Random(1)
    with open(folder / "ratings.csv", "w") as file:
        file.write("user,item,rating,timestamp\n")
        for line in range(interactions):
            user = draw.randrange(users)
            near = (user % 20) * items // 20 + draw.randrange(40)
            item = near % items if draw.random() < 0.7 else draw.randrange(items)
            file.write(f"u{user},i{item},5,{1_000_000 + line}\n")
    with open(folder / "items.jsonl", "w") as file:
        for item in range(items):
            paths = [["All", f"part {item * 20 // items}", f"shelf {item // 10}"]]
            file.write(json.dumps({"id": f"i{item}", "title": f"item {item}", "categories": paths}) + "\n")
    call([program, "prepare", "--input", folder / "ratings.csv", "--items", folder / "items.jsonl", "--output",
          folder / "data"])
    call([program, "extract", "--dataset", folder / "data"])


def seconds_of(program, folder, options, epochs):
    shutil.rmtree(folder / "run", ignore_errors=True)
    start = time.monotonic()
    call([program, "train", "--dataset", folder / "data", "--variant", "structural", "--objective", "hinge", "--epochs", epochs, "--batch-size",
          5_000, "--eval-users", 1_000, "--output", folder / "run", *options])
    return time.monotonic() - start


def measure(programs, folder, load, rounds, epochs):
    """Seconds by program and threads. Loops are started and ended here."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
    try:
        seconds = {(program, name): [] for program in programs for name, _ in THREADS}
        for _ in range(rounds):
            for program in programs:
                for name, options in THREADS:
                    seconds[program, name].append(seconds_of(program, folder, options, epochs))
        return seconds
    finally:
        for process in busy:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", type=pathlib.Path, help="the hyperllm command, once or more")
    parser.add_argument("--loads", default="0,2,4,8", help="numbers of endless loops")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, {os.getloadavg()[0]:.1f} others ran at the start; {arguments.rounds} rounds, "
          "seconds: median (least)\n")
    print("| program | load | one thread | two | default | default / better, medians | of the least |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_dataset(arguments.programs[0], folder)
        for load in map(int, arguments.loads.split(",")):
            seconds = measure(arguments.programs, folder, load, arguments.rounds, arguments.epochs)
            for program in arguments.programs:
                runs = [seconds[program, name] for name, _ in THREADS]
                cells = [f"{statistics.median(run):.2f} ({min(run):.2f})" for run in runs]
                for of in statistics.median, min:
                    one, two, default = map(of, runs)
                    cells.append(f"{default / min(one, two):.2f}")
                print(f"| {program} | {load} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
