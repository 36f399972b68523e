"""Follows topics of Tickwire over Server-Sent Events, through any number of reconnects.

Needs: pip install httpx httpx-sse

    python sse_client.py quotes:005930,000660 trades:005930 --limit 20
"""
import argparse
import json
import os
import time

import httpx
from follower import Follower
from httpx_sse import connect_sse

# The server sends something every heartbeat (25 s). The library's default would end a quiet stream after 5 s.
TIMEOUT = httpx.Timeout(10, read=60)


def follow(url: str, topics: list[str], follower: Follower) -> None:
    token = os.environ.get("TICKWIRE_TOKEN")
    asked = 0.0  # seconds
    with httpx.Client(timeout=TIMEOUT) as client:
        while not follower.done:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            if follower.cursor:
                headers["Last-Event-ID"] = follower.cursor
            try:
                request = {"params": {"subscribe": topics}, "headers": headers}
                with connect_sse(client, "GET", f"{url}/v1/stream", **request) as source:
                    answer = source.response
                    if answer.status_code != 200:
                        answer.read()
                        if answer.status_code < 500 and "Retry-After" not in answer.headers:
                            raise SystemExit(f"refused: {answer.text}")
                        asked, reason = float(answer.headers.get("Retry-After", 0)), answer.text.strip()
                    else:
                        reason = "the stream ended"
                        for event in source.iter_sse():
                            if event.retry is not None:
                                asked = event.retry / 1000
                            if event.event == "cursor":
                                follower.keep(event.id)
                            elif not follower.take(json.loads(event.data)):
                                reason = "a gap"
                                break
                            if follower.done:
                                return
            except httpx.TransportError as error:  # the network
                reason = str(error)
            time.sleep(follower.pause(reason, asked))


parser = argparse.ArgumentParser()
parser.add_argument("topics", nargs="+")
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--limit", type=int, default=0, help="end after this many messages")
args = parser.parse_args()
follow(args.url, args.topics, Follower(args.limit))
