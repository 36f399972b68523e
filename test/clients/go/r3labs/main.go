package main

import (
	"errors"
	"time"

	"github.com/r3labs/sse/v2"
	"tickwire/clients/report"
)

// An event may have 64 KiB by default, which the snapshot of a whole book can be more than.
const maxEventBytes = 1 << 20

func main() {
	for {
		client := sse.NewClient(report.Ask().String(), sse.ClientMaxBufferSize(maxEventBytes))
		// It comes back by itself behind a broken connection and behind refusals, with Last-Event-ID, for 15 minutes by default; a stream
		// that ends is the end to it.
		client.ReconnectNotify = func(err error, _ time.Duration) { report.Lost(err) }
		err := client.SubscribeRaw(func(event *sse.Event) { report.TakeEvent(string(event.Event), string(event.Data)) })
		if err == nil {
			err = errors.New("the stream ended")
		}
		report.Pause(err, 0)
	}
}
