"""Kills a run at random moments and resumes it, while pyarrow opens every part that is there, over and over.

    python tests/python/read_while_killed.py target/release/exgrpo-host [KILLS]

Needs the policies (`cargo xtask policies`) and is started from the repository's root.
"""

import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow.parquet

STEPS = 12
SETTINGS = [
    "rollout.questions=4",
    "rollout.group_size=4",
    "eval.enabled=false",
    "replay.replay_start_accuracy=-1",
]


TABLES = ["experiences", "decisions", "problems", "events", "metrics"]


class Reader(threading.Thread):
    """Opens and reads the parts of `run_dir` until it is told to stop."""

    def __init__(self, run_dir: Path):
        super().__init__(daemon=True)
        self.run_dir = run_dir
        self.stopped = threading.Event()
        self.num_opened = 0
        self.broken: list[str] = []

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                for table in TABLES:
                    self.read(table)
        except Exception as error:
            # A reader that died saw nothing: that must not pass for a run without broken parts.
            self.broken.append(f"the reader ended: {error}")

    def read(self, table: str) -> None:
        folder = self.run_dir / table
        for part in folder.glob("*.parquet") if folder.is_dir() else []:
            try:
                pyarrow.parquet.read_table(part)
                self.num_opened += 1
            except FileNotFoundError:
                # A resumed run removes what came after its checkpoint: gone is fine, broken is not.
                continue
            except Exception as error:
                self.broken.append(f"{part.name}: {error}")


def start(host: str, run_dir: Path) -> subprocess.Popen:
    if (run_dir / "run.toml").exists():
        arguments = ["--resume", str(run_dir)]
    else:
        arguments = ["--steps", str(STEPS), "--seed", "3", "--out", str(run_dir)]
        arguments += [argument for setting in SETTINGS for argument in ("--set", setting)]
        for policy in ("gaussian_medium", "exact_answer"):
            arguments += ["--policy", f"policies/{policy}.wasm"]
    return subprocess.Popen([host, "--quiet", *arguments], stdout=subprocess.DEVNULL)


def main(host: str, num_kills: int) -> int:
    moments = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        begin = time.monotonic()
        if start(host, whole).wait() != 0:
            return 1
        seconds = time.monotonic() - begin
        num_done, num_opened, broken = 0, 0, []
        while num_done < num_kills:
            run_dir = Path(folder) / f"run-{num_done}"
            reader = Reader(run_dir)
            reader.start()
            # A run is killed again and again until it ends by itself.
            while True:
                process = start(host, run_dir)
                try:
                    process.wait(timeout=moments.uniform(0.0, seconds))
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    num_done += 1
            reader.stopped.set()
            reader.join()
            num_opened += reader.num_opened
            broken += reader.broken
            if process.returncode != 0:
                print(f"a resumed run ended with {process.returncode}", file=sys.stderr)
                return 1
    for line in broken:
        print(line, file=sys.stderr)
    print(f"{num_done} kills, {num_opened} parts opened meanwhile, {len(broken)} of them unreadable")
    return 1 if broken else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 20))
