"""What signatures of orders cover, in the standard library alone (PROTOCOL.md, Signing).

The signature itself is Ed25519, by a library such as cryptography, or HMAC-SHA256:

    order["signature"] = to_base64url(private_key.sign(request_text("submit_order", order)))
    order["signature"] = to_base64url(hmac.digest(secret, request_text("submit_order", order), "sha256"))

    public_key.verify(from_base64url(data["signature"]), order_text(data))
"""
import base64
import json
import math
from decimal import Decimal


def request_text(action: str, message: dict) -> bytes:
    """What the signature of a request covers: its fields as they go over WebSocket, but id and signature."""
    covered = {name: value for name, value in message.items() if name not in ("id", "signature")}
    return canonical_json({**covered, "action": action}).encode()


def order_text(data: dict) -> bytes:
    """What the server's signature of a message of `orders` covers: its data, read with decimals as strings."""
    return canonical_json({name: value for name, value in data.items() if name != "signature"}).encode()


def to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Raises ValueError for any text but the one that to_base64url makes."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_base64url(raw) != text:
        raise ValueError("not base64url without padding")
    return raw


def canonical_json(value: object) -> str:
    """RFC 8785. Raises ValueError for what has no canonical form, such as half of a character."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value.encode()
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return canonical_number(float(value))
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(canonical_json, value))}]"
    if isinstance(value, dict):
        # Names in the order of their UTF-16 code units, which is not that of their characters.
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return f"{{{','.join(f'{canonical_json(name)}:{canonical_json(item)}' for name, item in members)}}}"
    raise ValueError(f"{type(value).__name__} has no canonical JSON")


def canonical_number(value: float) -> str:
    """A number as JavaScript writes it. Requests and messages of `orders` have none."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no canonical JSON")
    if value == 0:
        return "0"
    digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()[1:]
    text = "".join(map(str, digits))
    point = len(text) + exponent  # how many digits stand before the point
    sign = "-" if value < 0 else ""
    if len(text) <= point <= 21:
        return sign + text + "0" * (point - len(text))
    if 0 < point <= 21:
        return f"{sign}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{sign}{text[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
