"""Canonical JSON (RFC 8785): one text for one value, so that it can be signed."""

from __future__ import annotations

import json
import math
from decimal import Decimal


def canonical_json(value: object) -> str:
    """Raises ValueError for what has no canonical form, such as half of a character."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value.encode()
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return _number(float(value))
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(canonical_json, value))}]"
    if isinstance(value, dict):
        # Names in the order of their UTF-16 code units, which is not that of their characters.
        members = sorted(value.items(), key=lambda member: str(member[0]).encode("utf-16-be"))
        return f"{{{','.join(f'{canonical_json(name)}:{canonical_json(item)}' for name, item in members)}}}"
    raise ValueError(f"{type(value).__name__} has no canonical JSON")


def _number(value: float) -> str:
    """A number as JavaScript writes it. Requests and messages of `orders` have none."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no canonical JSON")
    if value == 0:
        return "0"
    _, figures, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, figures))
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
