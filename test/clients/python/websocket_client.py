import time

from report import ask_socket, pause, take
from websocket import WebSocketApp

while True:
    closed: list = [0, "the socket closed"]

    def on_close(_: WebSocketApp, code: int | None, reason: str | None) -> None:
        closed[:] = [code or 0, reason]

    # It has a `reconnect` of its own, to the URL that it was given; here the next one has the cursor.
    app = WebSocketApp(ask_socket(), subprotocols=["tickwire.v1.json"], on_message=lambda _, text: take(text), on_close=on_close)
    app.run_forever()
    time.sleep(pause(f"{closed[0]} {closed[1]}", closed[0]))
