"""A client of Tickwire, the streaming server for market data (PROTOCOL.md is the contract).

async with TickwireClient("https://stream.example") as client:
    async for message in client.subscribe("quotes", ["AAPL"], throttle_ms=250):
        print(message)
"""

from .book import Level, OrderBook
from .client import TickwireClient
from .errors import Refused, TickwireError
from .messages import Gap, Granted, Item, Message, Rejected, Reset, Result, State, StateChange
from .signing import OrderKey, verifies_order
from .subscriptions import Subscription
from .sync import SyncClient, SyncSubscription

__all__ = [
    "Gap",
    "Granted",
    "Item",
    "Level",
    "Message",
    "OrderBook",
    "OrderKey",
    "Refused",
    "Rejected",
    "Reset",
    "Result",
    "State",
    "StateChange",
    "Subscription",
    "SyncClient",
    "SyncSubscription",
    "TickwireClient",
    "TickwireError",
    "verifies_order",
]
