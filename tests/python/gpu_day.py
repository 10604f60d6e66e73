"""Everything there is to do on a machine with a GPU, each part under its own time limit and reported even when another
fails. tests/gpu_day.sh run starts it. One line a part, then a table. In --out: gpu_day.json and gpu_day.md, written
anew after every part, and gpu_day.log with all that was printed.

Parts, in this order: start (the binaries start, their libraries are there, the driver answers: without it nothing else
is run), kernels (every kernel against the processor), tests (every test with a GPU among its engines), curves (ten steps of
the default task beside the processor's, in f32 and bf16), resume (a run killed and resumed, beside an unbroken one), rates
(the card's own), ours-* and pytorch-* (the GRPO step of Qwen2.5's shapes by both sides in turn), seeds (the default task to
its end, five seeds in f32 and bf16), and profiles: profile-ours (its phases), profile-kernels (time by kernel, by ncu),
profile-pytorch (the same by its own profiler).
"""

import argparse
import concurrent.futures
import csv
import ctypes
import glob
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

# Arguments of both sides, and how many seconds each side may take.
STEPS = {
    "0.5b-256": (["qwen2.5-0.5b", "new=256", "rounds=3", "seconds=15", "warm=64"], 50, 70),
    "0.5b-1024": (["qwen2.5-0.5b", "new=1024", "rounds=2", "seconds=20", "warm=64"], 70, 110),
    "1.5b-256": (["qwen2.5-1.5b", "new=256", "rounds=2", "seconds=20", "warm=64"], 70, 90),
    "1.5b-1024": (["qwen2.5-1.5b", "new=1024", "rounds=1", "seconds=20", "warm=64"], 100, 150),
}
PRECISIONS = {"f32": [], "bf16": ['model.precision="bf16"']}
# Standard errors that accuracies of one step may lie apart; see tests/integration/engines.rs.
SIGMAS = 4.0


class Day:
    def __init__(self, options):
        self.bin = pathlib.Path(options.bin).resolve()
        self.out = pathlib.Path(options.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.peer_program = pathlib.Path(options.peer).resolve()
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gpu-day-"))
        self.report = {"parts": {}, "steps": {}}
        self.end = time.monotonic() + options.budget
        self.part_end, self.lock, self.jobs = self.end, threading.Lock(), options.jobs
        self.log_file = open(self.out / "gpu_day.log", "wb")

    def log(self, *pieces):
        with self.lock:
            for piece in pieces:
                self.log_file.write(piece if isinstance(piece, bytes) else piece.encode())
            self.log_file.flush()

    def command(self, *command, **environment):
        """Standard output of a command that runs in a group of its own; all that it says is in the log whatever happens."""
        command = [str(part) for part in command]
        limit = self.part_end - time.monotonic()
        if limit <= 0:
            raise TimeoutError("no time is left")
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, cwd=self.scratch, start_new_session=True,
                env={**os.environ, "RUST_BACKTRACE": "0", **environment},
            )
            timed_out = False
            try:
                output = child.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                timed_out = True
                os.killpg(child.pid, signal.SIGKILL)
                output = child.communicate()[0]
            errors.seek(0)
            said = errors.read()
        self.log("$ ", " ".join(command), "\n", output, said, "\n")
        if timed_out:
            raise TimeoutError(f"not done after {limit:.0f} s: {last_line(said.decode(errors='replace'))}")
        text = output.decode(errors="replace")
        if child.returncode != 0:
            failing = re.findall(r"^test (\S+) \.\.\. FAILED", text, re.MULTILINE)
            why = ", ".join(failing) or last_line(said.decode(errors="replace")) or last_line(text)
            raise RuntimeError(f"{pathlib.Path(command[0]).name} ends with {child.returncode}: {why[:600]}")
        return text

    def start(self):
        for name in ("host-under-test", "lib-tests", "integration", "gpu_step"):
            missing = re.findall(r"(\S+) => not found", self.command("ldd", self.bin / name))
            if missing:
                raise RuntimeError(f"{name} does not find {', '.join(missing)}")
        version = self.command(self.bin / "host-under-test", "--version").strip()
        count = self.command(self.bin / "lib-tests", "--list").count(": test")
        self.command(self.bin / "gpu_step", "--help")
        code = ctypes.CDLL("libcuda.so.1").cuInit(0)
        if code != 0:
            raise RuntimeError(f"{version} starts, with {count} tests, but the driver's cuInit answers {code}")
        query = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm", "--format=csv,noheader")
        card = self.command(*query).strip() if shutil.which("nvidia-smi") else "no nvidia-smi"
        return f"{version}, {count} tests of the library; {card}"

    def tests(self, program, least, *arguments, **environment):
        # Tolerances are for products in full f32.
        text = self.command(self.bin / program, *arguments, NVIDIA_TF32_OVERRIDE="0", **environment)
        passed = sum(int(count) for count in re.findall(r"test result: ok\. (\d+) passed", text))
        if passed < least:
            raise RuntimeError(f"only {passed} tests ran, at least {least} were expected: names have changed")
        return f"{passed} passed"

    def kernels(self):
        return self.tests("lib-tests", 15, "gpu::", "--test-threads=4")

    def all_tests(self):
        lib = ("actor::", "candle::", "objective::", "--test-threads=4")
        return attempts(
            ("library", lambda: self.tests("lib-tests", 15, *lib)),
            ("whole runs", lambda: self.tests("integration", 3, "gpu", "bad_input", "--test-threads=2", EXGRPO_KILLS="2")),
        )

    def host(self, *arguments, settings=()):
        policies = [self.bin.parent / "policies" / f"{name}.wasm" for name in ("gaussian_medium", "exact_answer")]
        files = [part for file in policies for part in ("--policy", file)]
        settings = [part for setting in settings for part in ("--set", setting)]
        return [self.bin / "host-under-test", "--quiet", *files, *settings, *arguments]

    def curves(self):
        sides = {
            "processor": ["model.engine=cpu"],
            "f32": ["model.engine=cuda", *PRECISIONS["f32"]],
            "bf16": ["model.engine=cuda", *PRECISIONS["bf16"]],
        }

        def one(side):
            run = self.scratch / f"curve-{side}"
            settings = ["eval.enabled=false", *sides[side]]
            self.command(*self.host("--steps", 10, "--seed", 1, "--out", run, settings=settings))
            return [row["rollout/correct/fresh"] for row in rows(run, "metrics")]

        with concurrent.futures.ThreadPoolExecutor(len(sides)) as pool:
            found = dict(zip(sides, pool.map(one, sides)))
        self.report["curves"] = found
        worst = {}
        for side in ("f32", "bf16"):
            apart = []
            for ours, theirs in zip(found[side], found["processor"], strict=True):
                share = min(max((ours + theirs) / 2, 0.01), 0.99)
                # 64 questions x 8 rollouts a step on each side.
                apart.append(abs(ours - theirs) / (2 * share * (1 - share) / 512) ** 0.5)
            worst[side] = max(apart)
        said = "; ".join(f"{side} {' '.join(f'{value:.3f}' for value in values)}" for side, values in found.items())
        said += f"; apart from the processor's by at most {worst['f32']:.1f} (f32) and {worst['bf16']:.1f} (bf16) standard errors"
        if max(worst.values()) > SIGMAS:
            raise RuntimeError(said)
        return said

    def resume(self):
        """A run that is killed between two checkpoints and resumed must leave what an unbroken one leaves."""
        settings = ["eval.enabled=false", "checkpoint.every=3", "checkpoint.max_share=1.0", "model.engine=cuda"]
        whole, broken = self.scratch / "whole", self.scratch / "broken"
        begin = ["--steps", 10, "--seed", 1]
        self.command(*self.host(*begin, "--out", whole, settings=settings))
        command = [str(part) for part in self.host(*begin, "--out", broken, settings=settings)]
        with subprocess.Popen(command, cwd=self.scratch, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
            # Behind the fifth step, two of which are in no checkpoint.
            while self.steps_logged(broken) < 5 and child.poll() is None and time.monotonic() < self.part_end:
                time.sleep(0.002)
            child.kill()
        done = self.steps_logged(broken)
        if not 5 <= done < 10:
            raise RuntimeError(f"killed too early or too late: {done} steps are logged")
        self.command(self.bin / "host-under-test", "--quiet", "--resume", broken)
        count = 0
        for table in ("experiences", "metrics", "problems"):
            ours, theirs = rows(broken, table), rows(whole, table)
            for index, (one, other) in enumerate(zip(ours, theirs)):
                for key in sorted(one.keys() | other.keys()):
                    count += 1
                    if not key.startswith("time") and repr(one.get(key)) != repr(other.get(key)):
                        raise RuntimeError(
                            f"{table}, row {index}, step {one.get('step')}, {key}: {one.get(key)!r:.200} after the kill, "
                            f"{other.get(key)!r:.200} without"
                        )
            if len(ours) != len(theirs):
                raise RuntimeError(f"{table}: {len(ours)} rows after the kill, {len(theirs)} without")
        last = [max((run / "checkpoints").glob("0*")) / "model.safetensors" for run in (broken, whole)]
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in last]
        if digests[0] != digests[1]:
            raise RuntimeError("all rows are equal, the last checkpoint's weights are not")
        return f"killed with {done} steps logged, resumed: {count} values of 10 steps and the weights are equal"

    def steps_logged(self, run):
        return len(list((run / "metrics").glob("part-*.parquet")))

    def seeds(self):
        def one(job):
            precision, seed = job
            begin = time.monotonic()
            run = self.scratch / f"seed-{precision}-{seed}"
            settings = ["model.engine=cuda", "checkpoint.every=1000", *PRECISIONS[precision]]
            try:
                self.command(*self.host("--seed", seed, "--out", run, settings=settings))
            except (RuntimeError, TimeoutError) as error:
                return str(error)
            found = rows(run, "metrics")
            shutil.rmtree(run)
            return found[0]["heldout/before"], found[-1]["heldout/accuracy"], time.monotonic() - begin

        wanted = [(precision, seed) for seed in range(1, 6) for precision in PRECISIONS]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            found = dict(zip(wanted, pool.map(one, wanted)))
        self.report["seeds"] = {f"{precision}-{seed}": result for (precision, seed), result in found.items()}
        said, means = [], {}
        for precision in PRECISIONS:
            ended = [found[precision, seed] for seed in range(1, 6) if not isinstance(found[precision, seed], str)]
            gains = [100 * (after - before) for before, after, _ in ended]
            if len(gains) > 1:
                means[precision] = (statistics.mean(gains), statistics.stdev(gains) / len(gains) ** 0.5)
                all_gains = " ".join(f"{gain:+.1f}" for gain in gains)
                said.append(f"{precision} {means[precision][0]:+.1f} ± {means[precision][1]:.1f} points ({all_gains})")
        if len(means) == 2:
            apart = means["bf16"][0] - means["f32"][0]
            said.append(f"bf16 - f32 {apart:+.1f} ± {(means['f32'][1] ** 2 + means['bf16'][1] ** 2) ** 0.5:.1f}")
        failed = [f"{job[0]}-{job[1]}: {why}" for job, why in found.items() if isinstance(why, str)]
        seconds = [result[2] for result in found.values() if not isinstance(result, str)]
        slowest = max(seconds, default=0)
        said.append(f"{len(seconds)} of {len(wanted)} runs ended, {self.jobs} at once, the slowest in {slowest:.0f} s")
        if failed:
            raise RuntimeError("; ".join(said + failed[:1]))
        return "; ".join(said)

    def rates(self):
        self.report["rates"] = json.loads(self.peer("--rates"))
        return ", ".join(f"{key} {value:.0f}" if isinstance(value, float) else str(value) for key, value in self.report["rates"].items())

    def peer(self, *arguments):
        return last_line(self.command(sys.executable, self.peer_program, *arguments))

    def ours(self, name):
        return self.keep(name, json.loads(last_line(self.command(self.bin / "gpu_step", *STEPS[name][0]))))

    def theirs(self, name):
        shape, *settings = STEPS[name][0]
        settings = [part for setting in settings for part in ("--" + setting).split("=")]
        return self.keep(name, json.loads(self.peer(shape, *settings)))

    def keep(self, name, figures):
        self.report["steps"].setdefault(name, {})[figures["side"]] = figures
        said = f"step {figures['step_s']:.2f} s, sampling {figures['sampling_s']:.2f}, training {figures['training_s']:.2f}"
        return said + f", optimizer {figures['optimizer_s']:.3f}, at most {figures['peak_gb']:.1f} GB"

    def profile_ours(self):
        figures = json.loads(last_line(self.command(self.bin / "gpu_step", "qwen2.5-0.5b", "rounds=1", "warm=32", "phases=yes")))
        phases = {
            "prompts": figures["prefill_s"],
            "decoding": figures["sampling_s"] - figures["prefill_s"],
            "forward": figures["forward_s"],
            "backward": figures["training_s"] - figures["forward_s"],
            "optimizer": figures["optimizer_s"],
        }
        self.report["phases"] = phases
        return ", ".join(f"{name} {seconds:.3f} s" for name, seconds in phases.items())

    def profile_kernels(self):
        """A small step of the 0.5B shape, one kernel after the other."""
        ncu = shutil.which("ncu") or (glob.glob("/opt/nvidia/nsight-compute/*/ncu") or ["ncu"])[-1]
        options = "--metrics gpu__time_duration.sum --csv --print-units base --clock-control none --launch-count 8000"
        text = self.command(ncu, *options.split(), self.bin / "gpu_step", "qwen2.5-0.5b", "questions=16", "new=4", "rounds=0")
        lines = text[text.index('"ID"') :].splitlines()
        seconds, counts = {}, {}
        for row in csv.DictReader(line for line in lines if line.startswith('"')):
            name = re.sub(r"[<(].*", "", row["Kernel Name"].removeprefix("void "))
            seconds[name] = seconds.get(name, 0) + float(row["Metric Value"].replace(",", "")) / 1e9
            counts[name] = counts.get(name, 0) + 1
        ranked = sorted(seconds, key=seconds.get, reverse=True)
        self.report["kernels"] = {name: [counts[name], seconds[name]] for name in ranked}
        return "; ".join(f"{name} {counts[name]} x, {seconds[name] * 1e3:.1f} ms" for name in ranked[:12])

    def profile_pytorch(self):
        text = self.command(sys.executable, self.peer_program, "qwen2.5-0.5b", "--rounds", 0, "--warm", 16, "--profile")
        self.report["kernels_pytorch"] = text
        return f"{len(text.splitlines())} lines, in the log and the JSON"

    def table(self):
        rates = self.report.get("rates", {})
        lines = [
            f"{rates.get('card', 'a GPU')}; bf16 product {rates.get('bf16_tflops', 0):.0f} TFLOP/s, "
            f"copy {rates.get('copy_gb_per_s', 0):.0f} GB/s (read and written)\n",
            "| shape, new tokens | side | step, s | of PyTorch's | sampling, s | tokens/s | training, s | rows/s | of products "
            "| of memory | peak, GB |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for name, sides in self.report["steps"].items():
            known = sides.get("exgrpo", {})
            for side, figures in sides.items():
                product = known.get("training_tflop", 0) / figures["training_s"] / rates.get("bf16_tflops", float("inf"))
                memory = known.get("decoding_gb", 0) / figures["sampling_s"] / rates.get("copy_gb_per_s", float("inf"))
                ratio = f"{figures['step_s'] / sides['pytorch']['step_s']:.2f}" if "pytorch" in sides else ""
                lines.append(
                    f"| {name} | {side} | {figures['step_s']:.2f} | {ratio} | {figures['sampling_s']:.2f} "
                    f"| {figures['sampled_per_s']:.0f} | {figures['training_s']:.2f} | {figures['trained_per_s']:.0f} "
                    f"| {product:.0%} | {memory:.0%} | {figures['peak_gb']:.1f} |"
                )
        lines += ["", "| part | | seconds | |", "|---|---|---|---|"]
        for name, part in self.report["parts"].items():
            said = part["said"].replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {name} | {'passed' if part['passed'] else 'FAILED'} | {part['seconds']:.1f} | {said[:1000]} |")
        return "\n".join(lines)

    def parts(self):
        """Name, seconds and work of every part, the most telling first."""
        parts = {"start": (30, self.start), "kernels": (60, self.kernels), "tests": (100, self.all_tests)}
        parts |= {"curves": (45, self.curves), "resume": (45, self.resume), "rates": (30, self.rates)}
        for name, (_, ours, theirs) in STEPS.items():
            if name == "1.5b-1024":
                parts["profile-ours"] = (40, self.profile_ours)
                parts["seeds"] = (150, self.seeds)
            parts[f"ours-{name}"] = (ours, lambda name=name: self.ours(name))
            parts[f"pytorch-{name}"] = (theirs, lambda name=name: self.theirs(name))
        return parts | {"profile-kernels": (90, self.profile_kernels), "profile-pytorch": (60, self.profile_pytorch)}

    def do(self, name, limit, work):
        begin = time.monotonic()
        self.part_end = min(begin + limit, self.end)
        self.log(f"\n===== {name}\n")
        try:
            said, passed = work(), True
        except Exception as error:
            said, passed = f"FAILED: {error or type(error).__name__}", False
        seconds = time.monotonic() - begin
        self.report["parts"][name] = {"passed": passed, "seconds": seconds, "said": said}
        self.log(f"----- {name} ({seconds:.1f} s): {said}\n")
        print(f"gpu-day: {name} ({seconds:.1f} s): {said}", flush=True)
        (self.out / "gpu_day.json").write_text(json.dumps(self.report, indent=1))
        (self.out / "gpu_day.md").write_text(self.table() + "\n")
        return passed


def rows(run, table):
    import pyarrow.parquet

    found = [row for part in sorted((run / table).glob("part-*.parquet")) for row in pyarrow.parquet.read_table(part).to_pylist()]
    return sorted(found, key=lambda row: row["step"])


def attempts(*works):
    """Does all of them, whatever fails."""
    said, failed = [], False
    for name, work in works:
        try:
            said.append(f"{name}: {work()}")
        except (RuntimeError, TimeoutError) as error:
            failed = True
            said.append(f"{name}: {error}")
    if failed:
        raise RuntimeError("; ".join(said))
    return "; ".join(said)


def last_line(text):
    return (text.strip().splitlines() or [""])[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the packed binaries")
    parser.add_argument("--peer", required=True, help="bench/peers/gpu_peer.py")
    parser.add_argument("--out", default=os.environ.get("OUT", "gpu-day"), help="folder for the log and results")
    parser.add_argument("--only", default="", help="parts or beginnings of their names, separated by commas; start is always done")
    parser.add_argument("--budget", type=float, default=480, help="seconds for everything")
    parser.add_argument("--jobs", type=int, default=5, help="runs at once in the part seeds")
    options = parser.parse_args()
    day = Day(options)
    parts = day.parts()
    prefixes = [prefix for prefix in options.only.split(",") if prefix]
    unknown = [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in parts)]
    if unknown:
        sys.exit(f"gpu-day: there is no part {', '.join(unknown)}; there are {', '.join(parts)}")
    wanted = [name for name in parts if name == "start" or not prefixes or name.startswith(tuple(prefixes))]
    passed = 0
    for name in wanted:
        is_good = day.do(name, *parts[name])
        passed += is_good
        if name == "start" and not is_good:
            print("gpu-day: nothing else is run")
            break
    shutil.rmtree(day.scratch, ignore_errors=True)
    print(day.table())
    print(f"gpu-day: {passed} of {len(wanted)} parts passed")
    sys.exit(0 if passed == len(wanted) else 1)


if __name__ == "__main__":
    main()
