"""What each program of this folder shares: where it goes on from, and the lines for the judge (test/clients/node/report.js)."""
import json
import random
import re
import sys
from urllib.parse import urlencode

FINAL = {1009, 4400, 4401, 4403, 4404, 4409, 4413}  # closes after which trying again cannot help

_given = sys.argv[1]
_cursor = None
_asked = 0.0  # seconds


def _say(kind: str, text: object) -> None:
    print(kind, re.sub(r"[\r\n]+", " ", str(text)), flush=True)


def ask(**parameters: object) -> str:
    """The URL to go on at."""
    _say("ask", "cursor" if _cursor else "start")
    if _cursor:
        parameters["after"] = _cursor
    return f"{_given}&{urlencode(parameters)}" if parameters else _given


def ask_socket() -> str:
    return ask().replace("http", "ws", 1)


def take(text: str) -> None:
    """Takes a message, or an array of them."""
    global _cursor, _asked
    _say("message", text)
    value = json.loads(text)
    for message in value if isinstance(value, list) else [value]:
        _cursor = message.get("cursor", _cursor)
        if message["type"] == "closing":
            _asked = message.get("retry_after_ms", 0) / 1000


def keep(cursor: str) -> None:
    """Keeps a cursor that stands for all that came before it."""
    global _cursor
    _say("cursor", cursor)
    _cursor = cursor


def take_event(event: str, data: str) -> None:
    keep(data) if event == "cursor" else take(data)


def lost(reason: object) -> None:
    _say("lost", reason)


def pause(reason: object, close: int = 0, asked: float = 0) -> float:
    """Seconds until the next attempt."""
    global _asked
    if close in FINAL:
        refused(f"{close} {reason}")
    lost(reason)
    wait, _asked = asked + _asked + random.uniform(0.3, 1.2), 0.0
    return wait


def may_pass(status: int) -> bool:
    return status >= 500 or status in (408, 429)


def refused(reason: object) -> None:
    _say("refused", reason)
    sys.exit(1)
