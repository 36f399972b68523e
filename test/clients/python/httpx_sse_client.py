import time

import httpx
from httpx_sse import connect_sse
from report import ask, may_pass, pause, refused, take_event

# The server sends something every heartbeat (25 s); the library's default ends a stream after 5 s.
with httpx.Client(timeout=httpx.Timeout(10, read=60)) as client:
    while True:
        asked = 0.0
        try:
            with connect_sse(client, "GET", ask()) as source:
                if source.response.status_code != 200:
                    answer = source.response.read().decode()
                    if not may_pass(source.response.status_code):
                        refused(answer)
                    asked, reason = float(source.response.headers.get("Retry-After", 0)), answer
                else:
                    reason = "the stream ended"
                    for event in source.iter_sse():
                        take_event(event.event, event.data)
        except httpx.TransportError as error:
            reason = repr(error)
        time.sleep(pause(reason, asked=asked))
