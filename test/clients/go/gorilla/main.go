package main

import (
	"errors"

	"github.com/gorilla/websocket"
	"tickwire/clients/report"
)

func main() {
	dialer := websocket.Dialer{Subprotocols: []string{"tickwire.v1.json"}, EnableCompression: true}
	for {
		socket, _, err := dialer.Dial(report.AskSocket(), nil)
		for err == nil {
			var text []byte
			if _, text, err = socket.ReadMessage(); err == nil {
				report.Take(text)
			}
		}
		var closed *websocket.CloseError
		code := 0
		if errors.As(err, &closed) {
			code = closed.Code
		}
		report.Pause(err, code)
		if socket != nil {
			socket.Close()
		}
	}
}
