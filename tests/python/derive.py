"""Derives a run again from its rows and compares: what was asked, drawn, stored, retired and learned from, and metrics.

    python tests/python/derive.py RUN_DIR [RUN_DIR...]

Written from the documentation of the columns and the paper (arXiv 2510.02245), not from the stages: an error that the
stages make again and again shows here. Taken as given are what the network computed (tokens, log-probs, entropies,
ratios, gradients) and the choice among several stored trajectories, which needs entropies that are not in the log.
Everything else is derived: random streams, the order of fresh questions, draws from the pool, the layout of the batch,
ids, verdicts of the default task, rewards, advantages, who is stored when, buckets, retirement, reasons for leaving
something out, replay's start and ratio, who answered for which slot, faults, and metrics.

Prints how many values of each kind were compared; exits with 1 when one differs.
"""

import hashlib
import json
import math
import re
import struct
import sys
import tomllib
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

from chacha8 import Stream
from comparison import TABLES, Comparison, rows_of
from derived_metrics import is_solution, metrics_of_step
from policy_rules import BUILTIN, Slots, bucket_of, bucket_weights, decision_of, level_of, verdict_of
from pool_model import Pool, Queue

MOST_SHOWN = 20


class Run:
    """A run as it is derived, step by step."""

    def __init__(self, run_dir: Path, check: Comparison):
        self.config = tomllib.loads((run_dir / "run.toml").read_text())
        self.tables = {table: rows_of(run_dir, table) for table in TABLES}
        self.check, self.pool = check, Pool()
        self.slots = Slots(self.config["run"]["policies"])
        self.k = self.config["rollout"]["group_size"]
        self.queue = Queue(self.num_rows(), self.stream)
        self.is_open, self.pass_rate, self.version = False, None, 0
        if self.config["demonstrations"]["enabled"]:
            sys.exit(f"{run_dir}: demonstrations are not derived")

    def num_rows(self) -> int:
        recorded = self.config["run"].get("identity", {}).get("rows", {}).get("training", {}).get("count")
        if recorded is None:
            sys.exit("run.toml does not say how many training rows there are")
        return recorded

    def stream(self, name: str, step: int, index: int = 0) -> Stream:
        return Stream(self.config["seed"], name, step, index)

    @property
    def is_reference(self) -> bool:
        return self.config["mode"] == "reference"

    def derive(self) -> None:
        steps = sorted(self.tables["metrics"])
        self.check.equal("steps", "metrics", steps, list(range(1, len(steps) + 1)))
        self.check.equal("steps", "experiences", sorted(self.tables["experiences"]), steps)
        for step in steps:
            self.step(step)

    def step(self, step: int) -> None:
        self.now, self.decisions = step, iter(self.tables["decisions"][step])
        self.faults = 0
        events = self.tables["events"][step]
        before = {}
        is_changed = self.slots.swap(events)
        if is_changed or step == 1:
            self.reindex(before)
        ratio, draws = self.draw(step)
        plan = self.plan(step, draws)
        groups = self.groups(step)
        self.compare_plan(step, plan, groups)
        self.judge(step, groups)
        self.changed = self.absorb(step, groups, ratio > 0, before)
        self.ask(self.changed)
        self.check.equal("decisions", f"step {step}: calls that nothing explains", list(self.decisions), [])
        self.compare_problems(step, before)
        self.compare_rows(step, groups)
        self.compare_events(step, groups, events)
        self.compare_metrics(step, groups, ratio)

    # What policies were asked, in the order in which they were.

    def ask_policy(self, slot: str, function: str, num_rows: int, seed: int | None = None):
        """The next decision's answer, and the name of who gave it."""
        place = f"step {self.now} {slot}.{function}"
        decision = next(self.decisions, None)
        if decision is None:
            self.check.equal("decisions", place, None, "a call")
            sys.exit(f"{place}: the decisions end early, nothing after it can be derived")
        call = decision["slot"], decision["function"], decision["num_rows"], decision["seed"]
        self.check.equal("decisions", place, call, (slot, function, num_rows, seed))
        if call[:2] != (slot, function):
            sys.exit(f"{place}: another call stands there, nothing after it can be derived")
        self.faults += decision["fault"] is not None
        expected = self.slots.answers(decision, self.tables["events"][self.now])
        self.check.equal("digests that decided", place, decision["digest"], expected)
        self.who[slot, function] = decision["digest"]
        return json.loads(decision["output"]), self.slots.name_of(decision["digest"])

    def reindex(self, before: dict) -> None:
        self.who = {}
        buckets, _ = self.ask_policy("difficulty", "buckets", 0)
        expected = [[f"{count}/{self.k}", level_of(count, self.k)] for count in range(self.k + 1)]
        self.check.equal("buckets", f"step {self.now}: levels", buckets, expected)
        tried = self.pool.scored()
        for row in tried:
            before.setdefault(row, self.pool.question(row).state())
        self.pool.reset(len(buckets))
        self.ask(tried)

    def ask(self, rows: list[int]) -> None:
        """Buckets, retirement and weights of questions whose outcome is new."""
        if not rows:
            return
        place = f"step {self.now}"
        questions = [self.pool.question(row) for row in rows]
        buckets, who = self.ask_policy("difficulty", "assign", len(rows))
        expected = [bucket_of(who, question, self.k) for question in questions]
        self.check.equal("buckets", place, buckets, expected)
        for row, bucket in zip(rows, expected):
            self.pool.assign(row, bucket)
        retirement, who = self.ask_policy("retirement", "decide", len(rows))
        expected = [decision_of(who, question.solved_streak) for question in questions]
        self.check.equal("retirement", place, retirement, expected)
        for row, decision in zip(rows, expected):
            if decision == "retire":
                self.pool.retire(row)
        weights, _ = self.ask_policy("sampling", "row-weights", len(rows))
        self.check.equal("row weights", place, weights, [])
        for question in questions:
            question.weight = 1.0

    def draw(self, step: int) -> tuple[Fraction, list[tuple[int, int]]]:
        """Replay's ratio, and the questions drawn for it as (row, bucket)."""
        self.who = {}
        replay, num_questions = self.config["replay"], self.config["rollout"]["questions"]
        if not (replay["enabled"] and self.is_open):
            return Fraction(0), []
        ratio, who = self.ask_policy("sampling", "replay-ratio", 0)
        configured = replay["experience_ratio"]
        chooses = self.slots.filled("selection") or self.slots.filled("trajectories")
        expected = configured if who != BUILTIN or chooses else 0.0
        self.check.equal("replay ratio", f"step {step}", float(ratio), float(expected), 1e-7)
        ratio = Fraction(str(expected))
        wanted = min(num_questions * ratio.numerator // ratio.denominator, len(self.pool.drawable()))
        if wanted == 0:
            return ratio, []
        counts = self.pool.counts()
        weights, who = self.ask_policy("sampling", "bucket-weights", len(counts))
        expected = bucket_weights(who, counts, self.k, self.slots)
        if expected is not None:
            for bucket, (there, here) in enumerate(zip(weights, expected, strict=True)):
                self.check.equal("bucket weights", f"step {step} bucket {bucket}", float(there), here, 1e-6)
        weights = [struct.unpack("<f", struct.pack("<f", weight))[0] for weight in weights]
        return ratio, self.pool.draw(weights, wanted, self.stream("sampling", step))

    # The batch.

    def plan(self, step: int, draws: list[tuple[int, int]]) -> list[tuple]:
        """Groups in the order of the batch: row, bucket it was drawn from, id of the stored trajectory."""
        replayed = []
        if draws:
            seed = self.stream("trajectories", step).u64()
            chosen, _ = self.ask_policy("trajectories", "choose", len(draws), seed)
            start = 0
            for (row, bucket), choice in zip(draws, chosen, strict=True):
                stored = self.pool.question(row).stored
                is_inside = choice is not None and start <= choice < start + len(stored)
                self.check.equal("chosen trajectories", f"step {step} row {row}: one of its own", is_inside, True)
                replayed.append((row, bucket, stored[choice - start].id if is_inside else None))
                start += len(stored)
        num_questions = self.config["rollout"]["questions"]
        count = num_questions - len(replayed)
        if self.is_reference:
            rows = self.queue.take(num_questions, lambda row: self.pool.question(row).retired)[:count]
        else:
            rows = self.queue.take(count, lambda row: False)
        fresh = [(row, None, None) for row in rows]
        order = self.stream("batch", step)
        order.shuffle(replayed)
        order.shuffle(fresh)
        updates = self.config["objective"]["updates"]
        # Each mini-batch gets its share of both.
        dealt = replayed + fresh
        return [group for part in range(updates) for group in dealt[part::updates]]

    def groups(self, step: int) -> list[list[dict]]:
        groups = defaultdict(list)
        for row in self.tables["experiences"][step]:
            groups[row["group_index"]].append(row)
        self.check.equal("batch", f"step {step}: groups", sorted(groups), list(range(len(groups))))
        return [groups[index] for index in sorted(groups)]

    def compare_plan(self, step: int, plan: list[tuple], groups: list[list[dict]]) -> None:
        self.check.equal("batch", f"step {step}: number of groups", len(groups), len(plan))
        for index, ((row, bucket, stored), group) in enumerate(zip(plan, groups)):
            place = f"step {step} group {index}"
            self.check.equal("batch", place + ": members", [r["member"] for r in group], list(range(self.k)))
            kind = "fresh questions" if bucket is None else "draws from the pool"
            for rollout in group:
                self.check.equal(kind, place, (rollout["question_row"], rollout["drawn_from_bucket"]), (row, bucket))
            first = group[0]["experience_id"]
            self.check.equal("chosen trajectories", place, first, stored)
            for member, rollout in enumerate(group):
                is_replayed = member == 0 and stored is not None
                self.check.equal("batch", place + ": origin", rollout["origin"], "replayed" if is_replayed else "fresh")
                if is_replayed:
                    self.compare_replay(place, rollout, stored)
                else:
                    made = rollout["sampled_step"], rollout["weights_version"], rollout["experience_id"]
                    self.check.equal("batch", place + ": sampled", made, (step, self.version, None))

    def compare_replay(self, place: str, rollout: dict, stored_id: int) -> None:
        stored = self.pool.question(rollout["question_row"]).stored
        source = next((known for known in stored if known.id == stored_id), None)
        for key in ["completion_ids", "old_logprobs", "mean_entropy", "mean_logprob", "finished", "completion",
                    "prompt_ids", "sampled_step", "weights_version", "question_id"]:
            there = source.row[key] if source else None
            self.check.equal("replayed trajectories", f"{place}: {key}", rollout[key], there)

    # Outcomes.

    def judge(self, step: int, groups: list[list[dict]]) -> None:
        """Verdicts of the default task, rewards and advantages."""
        rollouts = [rollout for group in groups for rollout in group]
        counts, who = self.ask_policy("verifier", "verify", len(rollouts))
        there = Counter(rollout["verdict"] for rollout in rollouts)
        self.check.equal("verdicts", f"step {step}: counts", {k: n for k, n in counts.items() if n}, dict(there))
        for rollout in rollouts:
            place = f"step {step} group {rollout['group_index']} member {rollout['member']}"
            gold = self.compare_question(place, rollout)
            if gold is not None and who in (BUILTIN, "exact_answer"):
                verdict, answer = verdict_of(rollout["completion"], gold, rollout["finished"])
                self.check.equal("verdicts", place, (rollout["verdict"], rollout["answer"]), (verdict, answer))
                self.check.equal("rewards", place, rollout["reward"], 1.0 if verdict == "correct" else 0.0)
        is_standardized = self.config["objective"]["advantage"] == "standardized"
        for index, group in enumerate(groups):
            scored = [rollout for rollout in group if rollout["verdict"] in ("correct", "incorrect")]
            rewards = [rollout["reward"] for rollout in scored]
            mean = sum(rewards) / len(rewards) if rewards else 0.0
            deviation = 1.0
            if is_standardized and len(set(rewards)) > 1:
                deviation = (sum((reward - mean) ** 2 for reward in rewards) / (len(rewards) - 1)) ** 0.5
            for rollout in group:
                expected = (rollout["reward"] - mean) / deviation if rollout in scored else 0.0
                place = f"step {step} group {index} member {rollout['member']}"
                self.check.equal("advantages", place, rollout["advantage"], expected, 1e-5)

    def compare_question(self, place: str, rollout: dict) -> str | None:
        """The gold answer of a question of the default task: a sum of products, such as `3*6+27-41=`."""
        prompt = rollout["prompt"]
        if not re.fullmatch(r"\d+([+*-]\d+)*=", prompt):
            return None
        terms = [term.split("*") for term in re.findall(r"[+-]?[\d*]+", prompt[:-1])]
        gold = str(sum(math.prod(int(factor) for factor in term) for term in terms))
        digest = hashlib.sha256(len(prompt.encode()).to_bytes(8, "little") + (prompt + gold).encode()).digest()
        self.check.equal("questions", place, rollout["question_id"], int.from_bytes(digest[:8], "big"))
        return gold

    def absorb(self, step: int, groups: list[list[dict]], is_mixed: bool, before: dict) -> list[int]:
        """Outcomes reach the pool; answers the rows of which something new is known."""
        replay = self.config["replay"]
        most = replay.get("max_success", self.k - 1)
        for row in {group[0]["question_row"] for group in groups}:
            before.setdefault(row, self.pool.question(row).state())
        changed = set()
        for group in groups:
            row = group[0]["question_row"]
            num_success = sum(rollout["verdict"] == "correct" for rollout in group)
            num_unscored = sum(rollout["reward"] is None for rollout in group)
            if self.is_reference and num_success == 0:
                continue
            self.pool.record(row, num_success, num_unscored, len(group), step)
            if self.pool.question(row).group_size > 0:
                changed.add(row)
            collects = replay["enabled"] and (is_mixed or not self.is_reference)
            if collects and num_success >= replay["min_success"] and num_success + num_unscored <= most:
                for rollout in group:
                    if is_solution(rollout) and rollout["reward"] >= replay["min_reward"]:
                        self.pool.store(row, rollout)
        return sorted(changed)

    def compare_problems(self, step: int, before: dict) -> None:
        there = {row["question_row"]: row for row in self.tables["problems"][step]}
        self.check.equal("pool", f"step {step}: one row a question", len(there), len(self.tables["problems"][step]))
        words = ["retired", "bucket", "stored", "weight"]
        expected = {}
        for row, state in before.items():
            question = self.pool.question(row)
            changes = [word for word, was, now in zip(words, state, question.state()) if was != now]
            if changes:
                change = "revived" if changes[0] == "retired" and not question.retired else changes[0]
                expected[row] = question, state[1], change
        self.check.equal("pool", f"step {step}: questions that changed", sorted(there), sorted(expected))
        for row, (question, bucket_before, change) in expected.items():
            found = there.get(row, {})
            for key, value in {
                "num_success": question.num_success, "group_size": question.group_size,
                "attempts": question.attempts, "solved_streak": question.solved_streak,
                "last_step": question.last_step, "stored": len(question.stored), "bucket_before": bucket_before,
                "bucket": question.bucket, "weight": question.weight, "retired": question.retired, "change": change,
            }.items():
                self.check.equal("pool", f"step {step} row {row}: {key}", found.get(key), value)

    def compare_rows(self, step: int, groups: list[list[dict]]) -> None:
        """Columns of experiences that follow from the rest."""
        is_idle_left_out = self.config["objective"]["entropy_coefficient"] == 0
        for index, group in enumerate(groups):
            question = self.pool.question(group[0]["question_row"])
            num_success = sum(rollout["verdict"] == "correct" for rollout in group)
            num_scored = sum(rollout["reward"] is not None for rollout in group)
            is_idle = all(rollout["advantage"] == 0 for rollout in group if rollout["reward"] is not None)
            for rollout in group:
                place = f"step {step} group {index} member {rollout['member']}"
                reason = rollout["verdict"] if rollout["reward"] is None else None
                if reason is None and is_idle and is_idle_left_out:
                    reason = "zero-advantage"
                level = None if question.bucket is None else level_of(question.bucket, self.k)
                for kind, columns, expected in [
                    ("drop reasons", ("in_loss", "drop_reason"), (reason is None, reason)),
                    ("group counts", ("num_success", "group_size"), (num_success, num_scored)),
                    ("buckets", ("bucket", "bucket_level"), (question.bucket, level)),
                ]:
                    self.check.equal(kind, place, tuple(rollout[column] for column in columns), expected)
                mean = sum(rollout["old_logprobs"]) / len(rollout["old_logprobs"])
                self.check.equal("means", place + ": mean_logprob", rollout["mean_logprob"], mean, 1e-5)
                self.check.equal("means", place + ": ratios", rollout["ratio_mean"] is not None, rollout["in_loss"])
                is_drawn = rollout["drawn_from_bucket"] is not None
                is_replayed = rollout["origin"] == "replayed"
                is_asked = rollout["question_row"] in self.changed
                for column, answered in {
                    "verifier_digest": self.who.get(("verifier", "verify")),
                    "difficulty_digest": self.who.get(("difficulty", "assign")) if is_asked else None,
                    "retirement_digest": self.who.get(("retirement", "decide")) if is_asked else None,
                    "sampling_digest": self.who.get(("sampling", "bucket-weights")) if is_drawn else None,
                    "trajectories_digest": self.who.get(("trajectories", "choose")) if is_replayed else None,
                }.items():
                    self.check.equal("digests that decided", f"{place}: {column}", rollout[column], answered)

    def compare_events(self, step: int, groups: list[list[dict]], events: list[dict]) -> None:
        kinds = Counter(event["kind"] for event in events)
        fresh = [rollout for group in groups for rollout in group if rollout["origin"] == "fresh"]
        if any(rollout["reward"] is not None for rollout in fresh):
            self.pass_rate = Fraction(sum(rollout["verdict"] == "correct" for rollout in fresh), len(fresh))
        replay = self.config["replay"]
        starts = replay["enabled"] and not self.is_open and self.pass_rate is not None
        starts = starts and self.pass_rate > Fraction(str(replay["replay_start_accuracy"]))
        self.check.equal("replay start", f"step {step}", kinds["replay-start"], int(starts))
        self.is_open = self.is_open or starts
        faults = [decision for decision in self.tables["decisions"][step] if decision["fault"] is not None]
        for decision in faults:
            of_call = [event for event in events if event["kind"] == "fault" and event["slot"] == decision["slot"]
                       and event["detail"].startswith(decision["function"])]
            self.check.equal("faults", f"step {step} {decision['function']}", len(of_call) > 0, True)
        self.check.equal("faults", f"step {step}: without a call", kinds["fault"] > 0, len(faults) > 0)

    def compare_metrics(self, step: int, groups: list[list[dict]], ratio: Fraction) -> None:
        reported = self.tables["metrics"][step]
        self.check.equal("metrics", f"step {step}: one row", len(reported), 1)
        derived = metrics_of_step(self, step, groups, ratio)
        for key, (value, tolerance) in derived.items():
            self.check.equal("metrics", f"step {step} {key}", reported[0].get(key, "no such column"), value, tolerance)
        per_update = -(-len(groups) // self.config["objective"]["updates"])
        parts = [groups[at:at + per_update] for at in range(0, len(groups), per_update)]
        with_tokens = sum(any(rollout["in_loss"] for group in part for rollout in group) for part in parts)
        self.version += with_tokens - int(reported[0]["optim/skipped"])


def main(run_dirs: list[Path]) -> int:
    check = Comparison()
    for run_dir in run_dirs:
        Run(run_dir, check).derive()
    for kind, place, there, here in check.differences[:MOST_SHOWN]:
        print(f"{kind}: {place}: the log has {there!r}, derived is {here!r}")
    for kind, count in sorted(check.compared.items()):
        print(f"{count:8} {kind}")
    num_compared = sum(check.compared.values())
    if check.differences:
        print(f"{len(check.differences)} of {num_compared} values differ")
        return 1
    print(f"{num_compared:8} values agree")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
