package main

import (
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"
	"tickwire/clients/report"
)

func main() {
	client := sse.Client{
		Backoff: sse.Backoff{MaxInterval: 2 * time.Second},
		OnRetry: func(err error, _ time.Duration) { report.Lost(err) },
	}
	for {
		request, _ := http.NewRequest(http.MethodGet, report.Ask().String(), http.NoBody)
		connection := client.NewConnection(request)
		// An event may have 64 KiB by default.
		connection.Buffer(nil, 1<<20)
		connection.SubscribeToAll(func(event sse.Event) { report.TakeEvent(event.Type, event.Data) })
		// It comes back by itself, but gives up at the first refusal.
		report.Pause(connection.Connect(), 0)
	}
}
