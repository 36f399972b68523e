import time

import requests
from report import ask, may_pass, pause, refused, take_event
from sseclient import SSEClient

while True:
    asked = 0.0
    try:
        # It comes back by itself behind a stream that ends, and raises where that fails. It reads from the socket,
        # past `requests`: what is compressed it cannot read, although it offers to, and the end of a chunked answer is an empty event to it.
        for event in SSEClient(ask(), headers={"Accept-Encoding": "identity"}):
            if event.data:
                take_event(event.event, event.data)
        reason = "the stream ended"
    except requests.HTTPError as error:
        if not may_pass(error.response.status_code):
            refused(error.response.text)
        asked, reason = float(error.response.headers.get("Retry-After", 0)), error
    except requests.RequestException as error:
        reason = repr(error)
    time.sleep(pause(reason, asked=asked))
