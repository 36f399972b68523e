import time

import httpx
from httpx_sse import connect_sse
from report import ask, may_pass, pause, refused, take_event

# By default httpx ends what is silent for 5 s. A timeout above the server's heartbeat (25 s), `httpx.Timeout(10, read=60)`, does as well.
with httpx.Client() as client:
    while True:
        asked = 0.0
        try:
            with connect_sse(client, "GET", ask(heartbeat=5)) as source:
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
