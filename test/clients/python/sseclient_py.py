import time

import requests
import sseclient
from report import ask, may_pass, pause, refused, take_event

while True:
    asked = 0.0
    try:
        response = requests.get(ask(), stream=True, headers={"Accept": "text/event-stream"}, timeout=(10, 60))
        if response.status_code != 200:
            if not may_pass(response.status_code):
                refused(response.text)
            asked, reason = float(response.headers.get("Retry-After", 0)), response.text
        else:
            reason = "the stream ended"
            for event in sseclient.SSEClient(response).events():
                take_event(event.event, event.data)
    except requests.RequestException as error:
        reason = repr(error)
    time.sleep(pause(reason, asked=asked))
