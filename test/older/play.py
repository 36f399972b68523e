"""Plays exchanges with the package websockets: one JSON object a line in, one verdict a line out."""

import asyncio
import json
import re
import sys
import urllib.request

import websockets

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def fits(expected, received):
    if expected == "<any>":
        return True
    if expected == "<time>":
        return isinstance(received, str) and TIME.match(received) is not None
    if isinstance(expected, dict):
        return (
            isinstance(received, dict)
            and expected.keys() == received.keys()
            and all(fits(expected[key], received[key]) for key in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(received, list)
            and len(expected) == len(received)
            and all(map(fits, expected, received))
        )
    return expected == received


def request(url, token, body=None):
    headers = {} if token == "" else {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return json.load(answer)


async def play(exchange):
    origin = exchange["origin"]
    waiting = []
    async with websockets.connect(origin.replace("http", "ws", 1) + exchange["path"]) as socket:
        for step in exchange["steps"]:
            if "send" in step:
                await socket.send(json.dumps(step["send"]))
            elif "sendText" in step:
                await socket.send(step["sendText"])
            elif "publish" in step:
                answer = await asyncio.to_thread(
                    request, f"{origin}/v1/publish", exchange["publisher"], step["publish"]
                )
                if answer["accepted"] != 1:
                    return f"refused: {answer}"
            elif "get" in step:
                answer = await asyncio.to_thread(request, origin + step["get"], exchange["token"])
                if not fits(step["answer"], answer):
                    return f"expected {step['answer']}, received {answer}"
            else:
                expected = step["receive"]
                while True:
                    found = next((one for one in waiting if one["type"] == expected["type"]), None)
                    if found is not None:
                        break
                    waiting.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
                waiting.remove(found)
                if not fits(expected, found):
                    return f"expected {expected}, received {found}"
    return None


async def main():
    for line in sys.stdin:
        print(json.dumps(await play(json.loads(line))), flush=True)


asyncio.run(main())
