"""Follows topics of Tickwire over WebSocket, through any number of reconnects.

Needs: pip install websockets

    python websocket_client.py quotes:005930,000660 trades:005930 --limit 20
"""
import argparse
import asyncio
import json
import os
from urllib.parse import urlencode

from follower import Follower
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

FINAL = {1009, 4400, 4401, 4403, 4404, 4409, 4413}  # closes after which trying again cannot help
MAX_FRAME_BYTES = 64 * 2**20  # for a frame of a catch-up; the library's default is 1 MiB


async def follow(url: str, topics: list[str], follower: Follower) -> None:
    token = os.environ.get("TICKWIRE_TOKEN")
    options = {
        "subprotocols": ["tickwire.v1.batch"],
        "additional_headers": {"Authorization": f"Bearer {token}"} if token else {},
        "max_size": MAX_FRAME_BYTES,
    }
    while not follower.done:
        asked = 0.0
        query = [("subscribe", topic) for topic in topics]
        if follower.cursor:
            query.append(("after", follower.cursor))
        try:
            async with connect(f"{url}/v1/stream?{urlencode(query)}", **options) as socket:
                while not follower.done:
                    for message in json.loads(await socket.recv()):
                        if not follower.take(message):
                            await socket.close()
                            break
                        if "cursor" in message:
                            follower.keep(message["cursor"])
                        asked = message.get("retry_after_ms", 0) / 1000
            continue
        except ConnectionClosed as error:
            reason = str(error)
            if error.rcvd and error.rcvd.code in FINAL:
                raise SystemExit(f"closed for good: {reason}") from None
        except InvalidStatus as error:  # refused before the upgrade
            status, headers = error.response.status_code, error.response.headers
            if status < 500 and "Retry-After" not in headers:
                raise SystemExit(f"refused: {error.response.body.decode()}") from None
            reason, asked = str(error), float(headers.get("Retry-After", 0))
        except (OSError, InvalidMessage, InvalidHandshake) as error:  # the network
            reason = str(error)
        await asyncio.sleep(follower.pause(reason, asked))


parser = argparse.ArgumentParser()
parser.add_argument("topics", nargs="+")
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--limit", type=int, default=0, help="end after this many messages")
args = parser.parse_args()
asyncio.run(follow(args.url.replace("http", "ws", 1), args.topics, Follower(args.limit)))
