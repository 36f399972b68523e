"""Signatures of orders (PROTOCOL.md, Signing). Ed25519 needs the extra `tickwire[signing]`; HMAC does not."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from .canonical_json import canonical_json


def request_text(action: str, message: Mapping[str, Any]) -> bytes:
    """What the signature of a request covers: its fields as they go over WebSocket, but id and signature."""
    covered = {name: value for name, value in message.items() if name not in ("id", "signature")}
    return canonical_json({**covered, "action": action}).encode()


def order_text(data: Mapping[str, Any]) -> bytes:
    """What the server's signature of a message of `orders` covers: its data, with decimals as strings."""
    return canonical_json({name: value for name, value in data.items() if name != "signature"}).encode()


def to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Raises ValueError for any text but the one that to_base64url makes."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_base64url(raw) != text:
        raise ValueError("not base64url without padding")
    return raw


class OrderKey:
    """A key that signs or verifies: Ed25519, or a secret for HMAC-SHA256."""

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        """Takes a JSON Web Key: `{"kty":"OKP","crv":"Ed25519","x"[,"d"]}`, or `{"kty":"oct","k"}`."""
        self._secret: bytes | None = None
        self._private: Any = None
        self._public: Any = None
        if jwk.get("kty") == "oct":
            self._secret = from_base64url(jwk["k"])
            return
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
            raise ValueError("the key must be one for Ed25519, or a secret")
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

        if "d" in jwk:
            self._private = Ed25519PrivateKey.from_private_bytes(from_base64url(jwk["d"]))
            self._public = self._private.public_key()
        else:
            self._public = Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> OrderKey:
        """Takes the private key for Ed25519 that `openssl genpkey -algorithm ed25519` makes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        private = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, None)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("the key must be one for Ed25519")
        raw, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
        return cls({"kty": "OKP", "crv": "Ed25519", "d": to_base64url(raw), "x": to_base64url(public)})

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public part, as the claim `order_key` of a token has it."""
        if self._public is None:
            raise ValueError("a secret has no public part")
        return {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(self._public.public_bytes_raw())}

    def sign(self, text: bytes) -> str:
        if self._secret is not None:
            return to_base64url(hmac.digest(self._secret, text, "sha256"))
        if self._private is None:
            raise ValueError("a public key cannot sign")
        return to_base64url(self._private.sign(text))

    def verifies(self, text: bytes, signature: str) -> bool:
        try:
            raw = from_base64url(signature)
        except ValueError:
            return False
        if self._secret is not None:
            return hmac.compare_digest(hmac.digest(self._secret, text, "sha256"), raw)
        from cryptography.exceptions import InvalidSignature

        try:
            self._public.verify(raw, text)
        except InvalidSignature:
            return False
        return True


def sign_request(key: OrderKey, action: str, message: Mapping[str, Any]) -> str:
    """Returns the signature of a request, which must have its `timestamp`."""
    return key.sign(request_text(action, message))


def verifies_request(key: OrderKey, action: str, message: Mapping[str, Any]) -> bool:
    return _holds(key, message, lambda: request_text(action, message))


def verifies_order(keys: Iterable[OrderKey], data: Mapping[str, Any]) -> bool:
    """Whether the server said this: the data of a message of `orders`, by the keys of `GET /v1/keys`."""
    return any(_holds(key, data, lambda: order_text(data)) for key in keys)


def _holds(key: OrderKey, fields: Mapping[str, Any], text: Any) -> bool:
    signature = fields.get("signature")
    try:
        return isinstance(signature, str) and key.verifies(text(), signature)
    except ValueError:
        return False
