"""Checks examples/python/signing.py with packages/protocol/vectors/signing.json, and prints how much of it.

Ed25519 is the reference of RFC 8032, section 6: the standard library has none.

    python3 signing_vectors.py <folder of the project>
"""
import hashlib
import hmac
import json
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "examples/python"))

from signing import canonical_json, from_base64url, order_text, request_text, to_base64url  # noqa: E402

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(factor, point):
    product = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            product = add(product, point)
        point, factor = add(point, point), factor >> 1
    return product


def compress(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def digest(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % Q


def sign_ed25519(secret, text):
    half, prefix = (expanded := hashlib.sha512(secret).digest())[:32], expanded[32:]
    scalar = int.from_bytes(half, "little") & (1 << 254) - 8 | 1 << 254
    public = compress(multiply(scalar, BASE))
    nonce = digest(prefix, text)
    commitment = compress(multiply(nonce, BASE))
    answer = (nonce + digest(commitment, public, text) * scalar) % Q
    return commitment + answer.to_bytes(32, "little")


def verify_ed25519(public, signature, text):
    if len(signature) != 64:
        return False
    commitment, answer = signature[:32], int.from_bytes(signature[32:], "little")
    if answer >= Q:
        return False
    right = add(decompress(commitment), multiply(digest(commitment, public, text), decompress(public)))
    return compress(multiply(answer, BASE)) == compress(right)


def sign(key, text):
    if key["kty"] == "oct":
        return hmac.digest(from_base64url(key["k"]), text, "sha256")
    return sign_ed25519(from_base64url(key["d"]), text)


def verifies(key, fields, text):
    try:
        signature = from_base64url(fields["signature"])
        if key["kty"] == "oct":
            return hmac.compare_digest(sign(key, text), signature)
        return verify_ed25519(from_base64url(key["x"]), signature, text)
    except (KeyError, ValueError):
        return False


def has_canonical(text):
    try:
        canonical_json(json.loads(text))
        return True
    except ValueError:
        return False


vectors = json.loads((ROOT / "packages/protocol/vectors/signing.json").read_text("utf-8"))
keys = vectors["keys"]
checks = []

for case in vectors["canonical"]:
    checks.append(("canonical", case, canonical_json(json.loads(case["json"])) == case["canonical"]))
for case in vectors["without_canonical"]:
    checks.append(("without_canonical", case, not has_canonical(case["json"])))
for kind in ("requests", "orders"):
    for case in vectors[kind]:
        key = keys[case["key"]]
        fields = case["message"] if kind == "requests" else case["data"]
        text = request_text(case["action"], fields) if kind == "requests" else order_text(fields)
        good = text.decode() == case["signed"] and to_base64url(sign(key, text)) == fields["signature"]
        checks.append((kind, case, good and verifies(key, fields, text)))
for case in vectors["tampered_requests"]:
    text = request_text(case["action"], case["message"])
    checks.append(("tampered_requests", case, not verifies(keys[case["key"]], case["message"], text)))
for case in vectors["tampered_orders"]:
    text = order_text(case["data"])
    checks.append(("tampered_orders", case, not verifies(keys[case["key"]], case["data"], text)))

counts: dict[str, int] = {}
for kind, _, _ in checks:
    counts[kind] = counts.get(kind, 0) + 1
failed = [f"{kind}: {case['name']}" for kind, case, good in checks if not good]
print(json.dumps({"counts": counts, "failed": failed}, ensure_ascii=False))
