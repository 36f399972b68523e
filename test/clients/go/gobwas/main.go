package main

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"tickwire/clients/report"
)

// What the dialer has read beyond the handshake comes first.
type joined struct {
	net.Conn
	io.Reader
}

func (j joined) Read(into []byte) (int, error) { return j.Reader.Read(into) }

func main() {
	dialer := ws.Dialer{Protocols: []string{"tickwire.v1.batch"}}
	for {
		connection, rest, _, err := dialer.Dial(context.Background(), report.AskSocket())
		var stream io.ReadWriter = connection
		if rest != nil {
			stream = joined{connection, io.MultiReader(rest, connection)}
		}
		for err == nil {
			var text []byte
			// It answers pings while it reads.
			if text, err = wsutil.ReadServerText(stream); err == nil {
				report.Take(text)
			}
		}
		var closed wsutil.ClosedError
		code := 0
		if errors.As(err, &closed) {
			code = int(closed.Code)
		}
		report.Pause(err, code)
		if connection != nil {
			connection.Close()
		}
	}
}
