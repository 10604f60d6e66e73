"""The run's random streams: ChaCha with 8 rounds (D. J. Bernstein, 2008), a key a stream, counter and nonce from 0.

A stream is a function of the run's seed, its own name, a step and an index (host/core/src/rng.rs). What is drawn from it
follows the crate `rand`: floats of 53 bits, integers by a widening product with Canon's correction, and a
Fisher-Yates shuffle that takes several indices from one draw.
"""

import hashlib
import struct

MASK = 0xFFFFFFFF
CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
COLUMNS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
DIAGONALS = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & MASK


def block(key: tuple[int, ...], counter: int) -> list[int]:
    """Sixteen words."""
    start = [*CONSTANTS, *key, counter & MASK, counter >> 32, 0, 0]
    x = list(start)
    for _ in range(4):
        for a, b, c, d in COLUMNS + DIAGONALS:
            for first, second, bits in ((b, d, 16), (d, b, 12), (b, d, 8), (d, b, 7)):
                # Quarter rounds add into a and c in turn, and mix into d and b.
                to = a if second == d else c
                x[to] = (x[to] + x[first]) & MASK
                x[second] = rotated(x[second] ^ x[to], bits)
    return [(word + first) & MASK for word, first in zip(x, start)]


class Stream:
    """One named stream of a run."""

    def __init__(self, seed: int, name: str, step: int, index: int = 0):
        digest = hashlib.sha256(struct.pack("<3Q", seed, step, index) + name.encode()).digest()
        self.key, self.counter, self.words = struct.unpack("<8I", digest), 0, []

    def u32(self) -> int:
        if not self.words:
            self.words = block(self.key, self.counter)[::-1]
            self.counter += 1
        return self.words.pop()

    def u64(self) -> int:
        low = self.u32()
        return self.u32() << 32 | low

    def uniform(self) -> float:
        """In [0, 1), a multiple of 2^-53."""
        return (self.u64() >> 11) * 2.0**-53

    def below(self, bound: int) -> int:
        """In 0..bound, `bound` of at most 32 bits."""
        product = self.u32() * bound
        result, low = product >> 32, product & MASK
        if low > (-bound & MASK) and low + (self.u32() * bound >> 32) > MASK:
            result += 1
        return result

    def shuffle(self, items: list) -> None:
        """Swaps each item with one not behind it. One draw serves as many indices as fit into 32 bits."""
        chunk, left = 0, 1
        for position in range(len(items) if len(items) > 1 else 0):
            sides = position + 1
            if left == 0:
                bound, left = sides, 1
                while bound * (sides + left) <= MASK:
                    bound *= sides + left
                    left += 1
                chunk = self.below(bound)
            left -= 1
            if left > 0:
                chunk, index = divmod(chunk, sides)
            else:
                index = chunk
            items[position], items[index] = items[index], items[position]
