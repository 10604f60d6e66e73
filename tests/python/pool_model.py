"""The experience pool as the documentation has it: who is stored, who can be drawn, in which order within a bucket.

A question can be drawn while it has a bucket, a stored trajectory, and is not retired. Within its bucket it stands where it
was put last, at the end; a question that leaves is replaced by the bucket's last one.
"""

from dataclasses import dataclass, field


@dataclass
class Trajectory:
    id: int
    step: int
    row: dict
    """The rollout's row when it was sampled."""


@dataclass
class Question:
    num_success: int = 0
    group_size: int = 0
    attempts: int = 0
    solved_streak: int = 0
    last_step: int = 0
    bucket: int | None = None
    weight: float = 1.0
    retired: bool = False
    stored: list[Trajectory] = field(default_factory=list)

    def state(self) -> tuple:
        """What a row of `problems` is due for when it changes, most telling first."""
        return self.retired, self.bucket, len(self.stored), self.weight


class Pool:
    def __init__(self):
        self.questions: dict[int, Question] = {}
        self.buckets: list[list[int]] = []
        self.next_id = 0

    def question(self, row: int) -> Question:
        return self.questions.setdefault(row, Question())

    def scored(self) -> list[int]:
        """Questions whose accuracy is known."""
        return sorted(row for row, question in self.questions.items() if question.group_size > 0)

    def counts(self) -> list[int]:
        return [len(bucket) for bucket in self.buckets]

    def drawable(self) -> list[int]:
        return [row for bucket in self.buckets for row in bucket]

    def record(self, row: int, num_success: int, num_unscored: int, num_members: int, step: int) -> None:
        """A group's outcome. An accuracy is one of all members: with one that was not scored, what is known stays."""
        question = self.question(row)
        question.attempts, question.last_step = question.attempts + num_members, step
        if num_unscored == 0:
            question.num_success, question.group_size = num_success, num_members
            question.solved_streak = question.solved_streak + 1 if num_success == num_members else 0
        elif num_success + num_unscored < num_members:
            question.solved_streak = 0

    def store(self, row: int, rollout: dict) -> None:
        """Keeps a success unless the very same tokens are kept already."""
        stored = self.question(row).stored
        if all(known.row["completion_ids"] != rollout["completion_ids"] for known in stored):
            stored.append(Trajectory(self.next_id, rollout["step"], rollout))
            self.next_id += 1
            self.settle(row)

    def assign(self, row: int, bucket: int) -> None:
        if self.question(row).bucket != bucket:
            self.leave(row)
            self.question(row).bucket = bucket
            self.settle(row)

    def retire(self, row: int) -> None:
        self.leave(row)
        self.question(row).retired = True

    def revive(self, row: int) -> None:
        self.question(row).retired = False
        self.settle(row)

    def reset(self, num_buckets: int) -> None:
        self.buckets = [[] for _ in range(num_buckets)]
        for question in self.questions.values():
            question.bucket = None

    def settle(self, row: int) -> None:
        question = self.question(row)
        if question.bucket is not None and not question.retired and question.stored:
            if row not in self.buckets[question.bucket]:
                self.buckets[question.bucket].append(row)

    def leave(self, row: int) -> None:
        bucket = self.question(row).bucket
        if bucket is not None and row in self.buckets[bucket]:
            rows = self.buckets[bucket]
            position, last = rows.index(row), rows.pop()
            if last != row:
                rows[position] = last

    def draw(self, bucket_weights: list[float], count: int, stream) -> list[tuple[int, int]]:
        """Up to `count` different questions as (row, bucket): a bucket by its weight among those that have a question left,
        then a question by its weight within the bucket."""
        left = [[self.question(row).weight for row in bucket] for bucket in self.buckets]
        draws = []
        while len(draws) < count:
            weights = [weight if sum(rows) > 0 else 0.0 for weight, rows in zip(bucket_weights, left)]
            if sum(weights) <= 0:
                break
            bucket = interval(weights, stream.uniform() * sum(weights))
            position = interval(left[bucket], stream.uniform() * sum(left[bucket]))
            left[bucket][position] = 0.0
            draws.append((self.buckets[bucket][position], bucket))
        return draws


def interval(weights: list[float], point: float) -> int:
    """The weight in whose interval `point` lies when they are laid end to end."""
    found = 0
    for index, weight in enumerate(weights):
        if weight > 0:
            found = index
            if point < weight:
                break
            point -= weight
    return found


class Queue:
    """Fresh questions: every row once an epoch, in an order drawn anew each epoch."""

    def __init__(self, num_rows: int, stream_of):
        self.num_rows, self.stream_of, self.epoch, self.left = num_rows, stream_of, 0, []

    def take(self, count: int, is_skipped) -> list[int]:
        rows = []
        while len(rows) < count:
            if not self.left:
                self.epoch += 1
                self.left = [row for row in range(self.num_rows) if not is_skipped(row)]
                if len(self.left) < count:
                    self.left = list(range(self.num_rows))
                self.stream_of("dataset", self.epoch).shuffle(self.left)
            rows.append(self.left.pop())
        return rows
