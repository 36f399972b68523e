"""The vectors of the protocol: `VECTORS` names their file."""

import json
import os
import unittest
from pathlib import Path

from tickwire.canonical_json import canonical_json
from tickwire.signing import (
    OrderKey,
    order_text,
    request_text,
    sign_request,
    verifies_order,
    verifies_request,
)

VECTORS = json.loads(Path(os.environ["VECTORS"]).read_text("utf-8"))
KEYS = {name: OrderKey(jwk) for name, jwk in VECTORS["keys"].items()}


class SigningTest(unittest.TestCase):
    def cases(self, kind: str) -> list[dict[str, object]]:
        self.assertGreater(len(VECTORS[kind]), 0, kind)
        return list(VECTORS[kind])

    def test_writes_canonical_json(self) -> None:
        for case in self.cases("canonical"):
            self.assertEqual(canonical_json(json.loads(str(case["json"]))), case["canonical"], case["name"])

    def test_writes_nothing_for_what_has_no_canonical_form(self) -> None:
        for case in self.cases("without_canonical"):
            with self.assertRaises(ValueError, msg=case["name"]):
                canonical_json(json.loads(str(case["json"])))

    def test_signs_and_verifies_requests(self) -> None:
        for case in self.cases("requests"):
            key, action, message = KEYS[case["key"]], case["action"], case["message"]
            self.assertEqual(request_text(action, message).decode(), case["signed"], case["name"])
            self.assertEqual(sign_request(key, action, message), message["signature"], case["name"])
            self.assertTrue(verifies_request(key, action, message), case["name"])
        for case in self.cases("tampered_requests"):
            self.assertFalse(
                verifies_request(KEYS[case["key"]], case["action"], case["message"]), case["name"]
            )

    def test_signs_and_verifies_messages_of_orders(self) -> None:
        for case in self.cases("orders"):
            key, data = KEYS[case["key"]], case["data"]
            self.assertEqual(order_text(data).decode(), case["signed"], case["name"])
            self.assertEqual(key.sign(order_text(data)), data["signature"], case["name"])
            self.assertTrue(verifies_order([KEYS["other"], key], data), case["name"])
            self.assertFalse(verifies_order([KEYS["other"]], data), case["name"])
        for case in self.cases("tampered_orders"):
            self.assertFalse(verifies_order([KEYS[case["key"]]], case["data"]), case["name"])

    def test_reads_a_key_from_pem_and_shows_its_public_part(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        private = Ed25519PrivateKey.generate()
        key = OrderKey.from_pem(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.assertTrue(OrderKey(key.public_jwk).verifies(b"text", key.sign(b"text")))
        with self.assertRaises(ValueError):
            OrderKey(key.public_jwk).sign(b"text")
        with self.assertRaises(ValueError):
            KEYS["hmac"].public_jwk
