import time

import httpx
from httpx_ws import HTTPXWSException, WebSocketDisconnect, connect_ws
from report import ask, pause, take

while True:
    code = 0
    try:
        with httpx.Client() as client, connect_ws(ask(), client, subprotocols=["tickwire.v1.json"]) as socket:
            while True:
                take(socket.receive_text())
    except WebSocketDisconnect as error:
        code, reason = error.code, f"{error.code} {error.reason}"
    except (httpx.HTTPError, HTTPXWSException) as error:
        reason = repr(error)
    except ExceptionGroup as error:
        reason = repr(error.exceptions)
    time.sleep(pause(reason, code))
