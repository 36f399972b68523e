package main

import (
	"errors"
	"net/http"

	"github.com/lxzan/gws"
	"tickwire/clients/report"
)

// Its own handler answers pings, without repeating what they say.
type handler struct {
	gws.BuiltinEventHandler
	closed chan error
}

func (h *handler) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	report.Take(message.Bytes())
}

func (h *handler) OnClose(socket *gws.Conn, err error) {
	h.closed <- err
}

func main() {
	for {
		events := &handler{closed: make(chan error, 1)}
		socket, _, err := gws.NewClient(events, &gws.ClientOption{
			Addr:          report.AskSocket(),
			RequestHeader: http.Header{"Sec-WebSocket-Protocol": {"tickwire.v1.json"}},
		})
		if err == nil {
			socket.ReadLoop()
			err = <-events.closed
		}
		var closed *gws.CloseError
		code := 0
		if errors.As(err, &closed) {
			code = int(closed.Code)
		}
		report.Pause(err, code)
	}
}
