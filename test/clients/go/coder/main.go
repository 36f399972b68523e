// coder/websocket, formerly nhooyr.io/websocket. It reads messages of up to 32 KiB.
package main

import (
	"context"

	"github.com/coder/websocket"
	"tickwire/clients/report"
)

func main() {
	for ctx := context.Background(); ; {
		socket, _, err := websocket.Dial(ctx, report.AskSocket(), &websocket.DialOptions{Subprotocols: []string{"tickwire.v1.batch"}})
		for err == nil {
			var text []byte
			if _, text, err = socket.Read(ctx); err == nil {
				report.Take(text)
			}
		}
		report.Pause(err, max(0, int(websocket.CloseStatus(err))))
	}
}
