"""What a client of Tickwire keeps, whatever its transport: PROTOCOL.md, The client's rule."""
import json
import random


class Follower:
    def __init__(self, limit: int = 0):
        self.limit = limit
        self.last: dict[str, int] = {}  # by topic, the last sequence
        self.at_cursor: dict[str, int] = {}  # the same when the cursor came; 0 behind a reset
        self.here: dict[str, int] = {}  # and on this connection since
        self.epoch: str | None = None
        self.cursor: str | None = None  # where to go on after a cut
        self.taken = 0
        self.backoff = 0.5  # seconds

    @property
    def done(self) -> bool:
        return 0 < self.limit <= self.taken

    def keep(self, cursor: str) -> None:
        """It covers all that came before it."""
        self.cursor = cursor
        self.at_cursor.update(self.here)
        self.here.clear()

    def enter(self, epoch: str) -> None:
        """Another epoch: what came behind the cursor on an earlier connection may be lost, and come to be something else."""
        before, self.epoch = self.epoch, epoch
        if before in (None, epoch):
            return
        for topic, last in list(self.last.items()):
            sure = self.here.get(topic, self.at_cursor.get(topic, 0))
            if sure == 0:
                del self.last[topic]
            else:
                self.last[topic] = min(last, sure)

    def take(self, message: dict) -> bool:
        """False: there is a gap. The server never makes one without a reset; who sees one begins anew."""
        self.backoff = 0.5
        topic = f"{message.get('channel')}:{message.get('symbol', '')}"
        if message["type"] == "welcome":
            self.here.clear()
        if message["type"] in ("subscribed", "epoch"):
            self.enter(message["epoch"])
        if message["type"] == "reset":
            self.last.pop(topic, None)  # and forget what is known of the topic
            self.here[topic] = 0
        if "sequence" not in message or self.done:
            return True
        self.here[topic] = message["sequence"]
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
