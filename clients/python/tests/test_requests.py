"""What a client sends again, and how, with servers that fail on demand."""

import json
import unittest
from collections.abc import Callable
from typing import Any

import httpx

from tickwire import OrderKey, Refused
from tickwire.credentials import Credentials
from tickwire.requests import Requests
from tickwire.signing import verifies_request

Answer = httpx.Response | Exception
KEY = OrderKey({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"})


def refusal(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"type": "error", "code": code, "message": "no", **more})


class RequestsTest(unittest.IsolatedAsyncioTestCase):
    def client(
        self, answers: list[Answer | Callable[[httpx.Request], httpx.Response]], key: OrderKey | None = None
    ) -> Requests:
        self.asked: list[httpx.Request] = []
        self.tokens = 0

        def handle(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, httpx.Response) else answer(request)

        async def get_token() -> str:
            self.tokens += 1
            return f"token-{self.tokens}"

        http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        return Requests("http://server", http, Credentials(None, get_token), key, lambda: 0.0)

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked]

    async def test_sends_the_same_order_again_until_it_has_an_answer(self) -> None:
        accepted = {"type": "order_accepted", "order_id": "x"}
        client = self.client(
            [
                httpx.ConnectError("no"),
                httpx.Response(502, text="<h1>no</h1>"),
                refusal(503, "log_unavailable"),
                refusal(429, "rate_limited", retry_after_ms=1),
                refusal(500, "internal"),
                httpx.Response(202, json=accepted),
            ],
            KEY,
        )
        self.assertEqual(
            await client.submit_order(symbol="A", side="buy", order_type="market", quantity="1"), accepted
        )
        bodies = self.bodies()
        self.assertEqual(len(bodies), 6)
        self.assertTrue(all(body == bodies[0] for body in bodies), "it goes as it is, with its old signature")
        self.assertTrue(verifies_request(KEY, "submit_order", bodies[0]))
        self.assertTrue(bodies[0]["client_order_id"])

    async def test_stops_where_the_table_says_so(self) -> None:
        for status, code in (
            (400, "invalid_message"),
            (403, "forbidden"),
            (409, "conflict"),
            (503, "disabled"),
        ):
            client = self.client([refusal(status, code)])
            with self.assertRaises(Refused) as raised:
                await client.cancel_order("x")
            self.assertEqual((raised.exception.code, len(self.asked)), (code, 1))

    async def test_gets_a_new_token_once(self) -> None:
        client = self.client([refusal(401, "unauthorized"), httpx.Response(200, json={})])
        await client.acknowledge("orders", 3, "e1")
        self.assertEqual(
            [each.headers["authorization"] for each in self.asked], ["Bearer token-1", "Bearer token-2"]
        )
        self.assertEqual(self.bodies(), 2 * [{"channel": "orders", "sequence": 3, "epoch": "e1"}])
        client = self.client([refusal(401, "unauthorized"), refusal(401, "unauthorized")])
        with self.assertRaises(Refused):
            await client.acknowledge("orders", 3)

    async def test_publishes_again_what_the_log_could_not_take(self) -> None:
        def answer(sequences: list[int | None], **rejected: str) -> httpx.Response:
            items = [{"index": int(at[1:]), "code": code, "message": ""} for at, code in rejected.items()]
            accepted = sum(sequence is not None for sequence in sequences)
            return httpx.Response(200, json={"accepted": accepted, "rejected": items, "sequences": sequences})

        client = self.client(
            [
                answer([1, None, None, None], _1="log_unavailable", _2="forbidden", _3="overloaded"),
                answer([None, 7], _0="log_unavailable"),
                answer([9]),
            ]
        )
        result = await client.publish([{"channel": "quotes", "symbol": name, "data": {}} for name in "ABCD"])
        self.assertEqual(result["sequences"], [1, 9, None, 7])
        self.assertEqual(result["accepted"], 3)
        self.assertEqual([(each["index"], each["code"]) for each in result["rejected"]], [(2, "forbidden")])
        first, second, third = self.bodies()
        self.assertEqual([second, third], [[first[1], first[3]], [first[1]]], "under their keys")
        self.assertEqual(len({each["idempotency_key"] for each in first}), 4)

    async def test_signs_cancels_and_replacements_as_they_go_over_websocket(self) -> None:
        client = self.client([httpx.Response(202, json={}), httpx.Response(202, json={})], KEY)
        await client.cancel_order("an order/1", request_id="r & 1")
        query = dict(self.asked[0].url.params)
        self.assertEqual(self.asked[0].url.raw_path.split(b"?")[0], b"/v1/orders/an%20order%2F1")
        self.assertEqual(set(query), {"request_id", "timestamp", "signature"})
        self.assertTrue(verifies_request(KEY, "cancel_order", {**query, "order_id": "an order/1"}))
        await client.replace_order("x", quantity="8")
        self.assertEqual(self.asked[1].method, "PATCH")
        self.assertTrue(verifies_request(KEY, "replace_order", json.loads(self.asked[1].content)))
