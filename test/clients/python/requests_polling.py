import json
import time

import requests
from report import ask, keep, may_pass, pause, refused, take

with requests.Session() as session:
    while True:
        try:
            # The read timeout must be above `wait`.
            response = session.get(ask(wait=5), timeout=(10, 30))
        except requests.RequestException as error:
            time.sleep(pause(repr(error)))
            continue
        answer = response.json()
        if response.status_code != 200:
            if not may_pass(response.status_code):
                refused(answer["message"])
            time.sleep(pause(answer["code"], asked=answer.get("retry_after_ms", 0) / 1000))
            continue
        for message in answer["messages"]:
            take(json.dumps(message))
        keep(answer["cursor"])
        time.sleep(0.05)  # of a busy topic there is always something: a pause gathers it
