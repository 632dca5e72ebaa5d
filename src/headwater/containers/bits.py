"""Bits of a header, most significant first, with the Exp-Golomb codes of H.264 and HEVC."""


class Bits:
    """A cursor over *data*; past its end everything is 0 and *over* says so."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    @property
    def left(self) -> int:
        return max(self._left, 0)

    @property
    def over(self) -> bool:
        return self._left < 0

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            return 0
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.take(1))

    def unsigned(self) -> int:
        """Read ue(v) (ITU-T H.264 §9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32 or self.over:
                self._left = -1
                return 0
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """Read se(v)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)
