"""Prints topics as they come, through any number of reconnects:

    python tail.py quotes:005930,000660 trades:005930 news --limit 20

If the server demands a token, it stands in TICKWIRE_TOKEN.
"""

import argparse
import asyncio
import os
import sys

from tickwire import Item, Message, StateChange, TickwireClient


def note(text: str) -> None:
    print(f"# {text}", file=sys.stderr, flush=True)


def show_state(change: StateChange) -> None:
    note(f"{change.state.value} {change.transport or ''} {change.reason}".strip())


def show(item: Item) -> None:
    topic = item.channel if item.symbol is None else f"{item.channel}:{item.symbol}"
    if isinstance(item, Message):
        print(topic, item.sequence, "state" if item.snapshot else "update", item.data, flush=True)
    else:
        note(f"{topic}: messages are lost ({item.reason})")


async def tail(url: str, topics: list[str], limit: int) -> None:
    items: asyncio.Queue[Item] = asyncio.Queue()
    async with TickwireClient(url, token=os.environ.get("TICKWIRE_TOKEN")) as client:
        client.on_state(show_state)
        subscriptions = []
        for topic in topics:
            channel, _, symbols = topic.partition(":")
            named = symbols.split(",") if symbols else None
            subscriptions.append(client.subscribe(channel, named, on_item=items.put_nowait))
        for subscription in subscriptions:
            for refused in (await subscription.result).rejected:
                note(f"{refused.channel}:{refused.symbol} is refused: {refused.message}")
        shown = 0
        while not limit or shown < limit:
            item = await items.get()
            show(item)
            shown += isinstance(item, Message)


parser = argparse.ArgumentParser()
parser.add_argument("topics", nargs="+")
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--limit", type=int, default=0, help="end after this many messages")
args = parser.parse_args()
try:
    asyncio.run(tail(args.url, args.topics, args.limit))
except KeyboardInterrupt:
    pass
