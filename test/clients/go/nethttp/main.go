// Polling with net/http.
package main

import (
	"encoding/json"
	"net/http"
	"time"

	"tickwire/clients/report"
)

type answer struct {
	Messages []json.RawMessage `json:"messages"`
	Cursor   string            `json:"cursor"`
	Code     string            `json:"code"`
}

func poll(client *http.Client) (answer, int, error) {
	var read answer
	response, err := client.Get(report.Ask().String() + "&wait=5")
	if err != nil {
		return read, 0, err
	}
	defer response.Body.Close()
	return read, response.StatusCode, json.NewDecoder(response.Body).Decode(&read)
}

func main() {
	client := &http.Client{Timeout: 30 * time.Second} // of the whole request: above `wait`
	for {
		read, status, err := poll(client)
		switch {
		case err != nil:
			report.Pause(err, 0)
		case status == http.StatusOK:
			for _, message := range read.Messages {
				report.Take(message)
			}
			report.Keep(read.Cursor)
			time.Sleep(50 * time.Millisecond) // of a busy topic there is always something: a pause gathers it
		case report.MayPass(status):
			report.Pause(read.Code, 0)
		default:
			report.Refused(read.Code)
		}
	}
}
