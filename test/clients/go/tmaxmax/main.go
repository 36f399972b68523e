package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"
	"tickwire/clients/report"
)

type passing struct{ error }

func (passing) Temporary() bool { return true }

func main() {
	client := sse.Client{
		Backoff: sse.Backoff{MaxInterval: 2 * time.Second},
		OnRetry: func(err error, _ time.Duration) { report.Lost(err) },
		// It gives up at every refusal, unless the error says that it may pass.
		ResponseValidator: func(response *http.Response) error {
			err := sse.DefaultValidator(response)
			if err != nil && report.MayPass(response.StatusCode) {
				return passing{err}
			}
			return err
		},
	}
	for {
		request, _ := http.NewRequest(http.MethodGet, report.Ask().String(), http.NoBody)
		connection := client.NewConnection(request)
		// An event may have 64 KiB by default.
		connection.Buffer(nil, 1<<20)
		connection.SubscribeToAll(func(event sse.Event) { report.TakeEvent(event.Type, event.Data) })
		err := connection.Connect()
		if err == nil {
			err = errors.New("the stream ended")
		}
		report.Pause(err, 0)
	}
}
