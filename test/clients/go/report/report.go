// Package report is what each program of this folder shares: where it goes on from, and the lines for the judge
// (test/clients/node/report.js).
package report

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"net/url"
	"os"
	"strings"
	"time"
)

var (
	given, _ = url.Parse(os.Args[1])
	cursor   string
	asked    time.Duration
	oneLine  = strings.NewReplacer("\n", " ", "\r", " ")
)

type message struct {
	Type         string `json:"type"`
	Cursor       string `json:"cursor"`
	RetryAfterMs int    `json:"retry_after_ms"`
}

func say(kind string, text any) {
	fmt.Println(kind, oneLine.Replace(fmt.Sprint(text)))
}

// Ask is the URL to go on at.
func Ask() *url.URL {
	where, target, query := "start", *given, given.Query()
	if cursor != "" {
		where = "cursor"
		query.Set("after", cursor)
	}
	target.RawQuery = query.Encode()
	say("ask", where)
	return &target
}

// AskSocket is the same for a WebSocket.
func AskSocket() string {
	return strings.Replace(Ask().String(), "http", "ws", 1)
}

// Take takes a message, or an array of them.
func Take(text []byte) {
	say("message", string(text))
	var messages []message
	if len(text) > 0 && text[0] == '[' {
		if json.Unmarshal(text, &messages) != nil {
			panic("not JSON")
		}
	} else {
		messages = make([]message, 1)
		if json.Unmarshal(text, &messages[0]) != nil {
			panic("not JSON")
		}
	}
	for _, each := range messages {
		if each.Cursor != "" {
			cursor = each.Cursor
		}
		if each.Type == "closing" {
			asked = time.Duration(each.RetryAfterMs) * time.Millisecond
		}
	}
}

// Keep keeps a cursor that stands for all that came before it.
func Keep(text string) {
	say("cursor", text)
	cursor = text
}

// TakeEvent takes an event of a stream.
func TakeEvent(event, data string) {
	if event == "cursor" {
		Keep(data)
	} else {
		Take([]byte(data))
	}
}

// Lost says that a connection has ended, or could not be made.
func Lost(reason any) {
	say("lost", reason)
}

// Pause waits until the next attempt, unless the close says that it cannot help.
func Pause(reason any, code int) {
	switch code {
	case 1009, 4400, 4401, 4403, 4404, 4409, 4413:
		Refused(fmt.Sprint(code, " ", reason))
	}
	Lost(reason)
	time.Sleep(asked + time.Duration(300+rand.Intn(900))*time.Millisecond)
	asked = 0
}

// MayPass says whether a status is that of a refusal which may pass.
func MayPass(status int) bool {
	return status >= 500 || status == 408 || status == 429
}

// Refused ends the program.
func Refused(reason any) {
	say("refused", reason)
	os.Exit(1)
}
