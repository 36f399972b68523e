"""What a client of Tickwire keeps, over any transport: PROTOCOL.md, The client's rule."""
import json
import random


class Follower:
    def __init__(self, limit: int = 0):
        self.limit = limit
        self.last: dict[str, int] = {}  # by topic, the last sequence
        self.at_cursor: dict[str, int] = {}  # the same when the kept cursor came; 0 after a reset
        self.here: dict[str, int] = {}  # the same on this connection, since the cursor
        self.epoch: str | None = None
        self.cursor: str | None = None  # where to resume after a cut
        self.taken = 0
        self.backoff = 0.5  # seconds

    @property
    def done(self) -> bool:
        return 0 < self.limit <= self.taken

    def keep(self, cursor: str) -> None:
        """Keeps a cursor, which covers all messages before it."""
        self.cursor = cursor
        self.at_cursor.update(self.here)
        self.here.clear()

    def enter(self, epoch: str) -> None:
        """Enters another epoch: what came after the cursor on an earlier connection may be lost, and its
        sequences given out again."""
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
        """Takes a message. False: there is a gap. The server never makes one without a reset; a client that
        sees one starts over."""
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
        """Returns the seconds to the next attempt: at least what the server asked for, and more each time."""
        wait = asked + self.backoff * (0.5 + random.random())
        self.backoff = min(self.backoff * 2, 30)
        start = "the cursor" if self.cursor else "the start"
        print(f"# {reason}; again in {wait:.1f} s from {start}", flush=True)
        return wait
