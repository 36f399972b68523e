"""Trades and publishes on a real server, and prints what came of it as JSON. Its input says where and how."""

import json
import sys
from typing import Any

from tickwire import Message, OrderKey, SyncClient, verifies_order

PATIENCE_SECONDS = 60
given = json.load(sys.stdin)
found: dict[str, Any] = {}

with SyncClient(given["url"], token=given["token"], order_key=OrderKey(given["key"])) as client:
    quote = {"channel": "quotes", "symbol": "A", "idempotency_key": "k", "data": {"symbol": "A", "bid": "1"}}
    found["published"] = [client.publish(quote), client.publish([quote, {"channel": "no", "data": {}}])]

    orders = client.subscribe("orders")
    order = {"symbol": "A", "side": "buy", "order_type": "limit", "quantity": "5", "limit_price": "1"}
    accepted = [client.submit_order(client_order_id="mine", time_in_force="gtc", **order) for _ in range(2)]
    found["same_order"] = accepted[0] == accepted[1]
    order_id = accepted[0]["order_id"]
    client.replace_order(order_id, quantity="8")
    client.cancel_order(order_id)
    seen: list[Message] = []
    while not seen or seen[-1].data["status"] != "canceled":
        item = orders.next(PATIENCE_SECONDS)
        assert isinstance(item, Message), item
        seen.append(item)
    found["statuses"] = [item.data["status"] for item in seen]
    found["quantity"] = seen[-1].data["quantity"]
    keys = [OrderKey(jwk) for jwk in client.get("/v1/keys")["keys"]]
    found["genuine"] = [verifies_order(keys, item.data) for item in seen]
    found["forged"] = verifies_order(keys, {**seen[-1].data, "quantity": "9"})
    found["acknowledged"] = client.acknowledge("orders", seen[-1].sequence)["sequence"] == seen[-1].sequence

    # Two readers of one topic; the second comes later, and begins with the state all the same.
    first = client.subscribe("quotes", ["A"])
    states = [first.next(PATIENCE_SECONDS)]
    second = client.subscribe("quotes", ["A"], throttle_ms=100)
    states.append(second.next(PATIENCE_SECONDS))
    found["states"] = [isinstance(item, Message) and item.snapshot and item.data["bid"] for item in states]
    found["granted"] = [first.result().granted, second.result().granted]
    for _ in range(2):
        found["granted"].append(client.subscribe("trades", ["A"]).result().granted)
    # One that ends and begins again in the same moment has its state, too.
    first.close()
    client.subscribe("portfolio").close()
    again = client.subscribe("portfolio")
    found["again"] = again.result().granted
    client.publish({"channel": "quotes", "symbol": "A", "data": {"symbol": "A", "bid": "2"}})
    news = second.next(PATIENCE_SECONDS)
    while not isinstance(news, Message) or news.data["bid"] != "2":
        news = second.next(PATIENCE_SECONDS)
    latest = second.latest("A")
    found["latest"] = latest is not None and latest.data["bid"]

json.dump(found, sys.stdout)
