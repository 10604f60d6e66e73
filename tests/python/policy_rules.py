"""What the shipped policies, the built-in defaults and the tests' guests promise in their documentation."""

import math
import re

BUILTIN = "builtin"


def level_of(num_success: int, group_size: int) -> str:
    """Easy above three in four, hard below one in four."""
    if 4 * num_success > 3 * group_size:
        return "easy"
    return "hard" if 4 * num_success < group_size else "medium"


def bucket_of(who: str, question, group_size: int) -> int:
    """The number of successes of the latest group."""
    return question.num_success


def decision_of(who: str, solved_streak: int) -> str:
    """The paper retires a question that its whole group solved; the built-in never does."""
    return "retire" if who == "gaussian_medium" and solved_streak >= 1 else "keep"


def bucket_weights(who: str, counts: list[int], group_size: int, slots) -> list[float] | None:
    """The paper: N(k; K/2, 1) over partly solved questions, over that of the likeliest bucket that holds one. The built-in:
    all alike. The tests' `counter`: how often it was asked."""
    if who == "gaussian_medium":
        density = [
            math.exp(-((k - group_size / 2) ** 2) / 2) if 0 < k < group_size and counts[k] > 0 else 0.0
            for k in range(len(counts))
        ]
        most = max(density) or 1.0
        return [value / most for value in density]
    if who == "counter":
        slots.num_counted += 1
        return [float(slots.num_counted)] * len(counts)
    return [1.0] * len(counts) if who == BUILTIN else None


def verdict_of(completion: str, gold: str, is_finished: bool) -> tuple[str, str]:
    """The text behind the last `;` is the answer; it is right when it is the same integer and the text was ended."""
    answer = completion.rsplit(";", 1)[-1].strip()
    is_right = is_finished and re.fullmatch(r"[+-]?[0-9]+", answer) is not None and int(answer) == int(gold)
    return ("correct" if is_right else "incorrect"), answer


class Slots:
    """Who fills which slot, from run.toml and the events."""

    def __init__(self, policies: list[dict]):
        self.holders, self.names, self.num_counted = {}, {BUILTIN: BUILTIN}, 0
        for policy in policies:
            self.names[policy["digest"]] = policy["name"]
            self.holders.update({slot: policy["digest"] for slot in policy["slots"]})

    def swap(self, events: list[dict]) -> bool:
        """Applies the swaps that come before a step; true when there was one."""
        swaps = [event for event in events if event["kind"] == "swap" and event["reason"] != "last-good"]
        for event in swaps:
            self.holders[event["slot"]] = event["digest"]
            # "NAME VERSION (…) takes over from …"
            self.names.setdefault(event["digest"], event["detail"].split(" ")[0])
        return bool(swaps)

    def filled(self, slot: str) -> bool:
        return self.holders.get(slot, BUILTIN) != BUILTIN

    def name_of(self, digest: str) -> str:
        return self.names.get(digest, digest)

    def answers(self, decision: dict, events: list[dict]) -> str:
        """Digest of who must have answered a call: the slot's holder, after its fault the last good one, else the built-in.
        A verifier's fault costs rows, not the slot."""
        slot = decision["slot"]
        if decision["fault"] is None or slot == "verifier":
            return self.holders.get(slot, BUILTIN)
        if self.names.get(self.holders.get(slot)) == "counter" and decision["function"] == "bucket-weights":
            self.num_counted += 1
        back = [e for e in events if e["kind"] == "swap" and e["slot"] == slot and e["reason"] == "last-good"]
        if not back:
            return BUILTIN
        self.holders[slot] = back[-1]["digest"]
        return back[-1]["digest"]
