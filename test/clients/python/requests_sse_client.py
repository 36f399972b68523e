import time

import requests
from report import ask, pause, take_event
from requests_sse import EventSource

while True:
    try:
        with EventSource(ask(), timeout=60) as events:
            for event in events:
                take_event(event.type, event.data)
        reason = "the stream ended"
    # It comes back a few times by itself, then gives up.
    except (requests.RequestException, OSError) as error:
        reason = repr(error)
    time.sleep(pause(reason))
