"""What a client of Tickwire keeps, whatever its transport: PROTOCOL.md, The client's rule."""
import json
import random


class Follower:
    def __init__(self, limit: int = 0):
        self.limit = limit
        self.last: dict[str, int] = {}  # by topic, the last sequence
        self.cursor: str | None = None  # where to go on after a cut
        self.taken = 0
        self.backoff = 0.5  # seconds

    @property
    def done(self) -> bool:
        return 0 < self.limit <= self.taken

    def take(self, message: dict) -> bool:
        """False: there is a gap. The server never makes one without a reset; who sees one begins anew."""
        self.backoff = 0.5
        topic = f"{message.get('channel')}:{message.get('symbol', '')}"
        if message["type"] == "reset":
            self.last.pop(topic, None)  # and forget what is known of the topic
        if "sequence" not in message or self.done:
            return True
        sequence, snapshot, before = message["sequence"], message.get("snapshot", False), self.last.get(topic)
        if before is not None:
            if sequence < before or (sequence == before and not snapshot):
                return True  # a duplicate
            if not snapshot and message.get("prev", sequence - 1) > before:
                self.last.clear()
                self.cursor = None
                return False
        self.last[topic] = sequence
        self.taken += 1
        print(topic, sequence, "state" if snapshot else "update", json.dumps(message["data"]), flush=True)
        return True

    def pause(self, reason: str, asked: float = 0) -> float:
        """Seconds until the next attempt: at least what the server asked for, and each time longer."""
        wait = asked + self.backoff * (0.5 + random.random())
        self.backoff = min(self.backoff * 2, 30)
        print(f"# {reason}; again in {wait:.1f} s from {'the cursor' if self.cursor else 'the start'}", flush=True)
        return wait
