// golang.org/x/net/websocket. It does not say with what code it was closed.
package main

import (
	"golang.org/x/net/websocket"
	"tickwire/clients/report"
)

func main() {
	for {
		url := report.AskSocket()
		// It has to send an Origin: that of the server itself is let in everywhere.
		socket, err := websocket.Dial(url, "tickwire.v1.json", "http"+url[len("ws"):])
		for err == nil {
			var text []byte
			if err = websocket.Message.Receive(socket, &text); err == nil {
				report.Take(text)
			}
		}
		report.Pause(err, 0)
		if socket != nil {
			socket.Close()
		}
	}
}
