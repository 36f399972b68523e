package main

import (
	"time"

	"github.com/launchdarkly/eventsource"
	"tickwire/clients/report"
)

func main() {
	// It comes back by itself, behind refusals too; at the first attempt only where it is told to.
	stream, err := eventsource.SubscribeWithURL(report.Ask().String(),
		eventsource.StreamOptionCanRetryFirstConnection(-1),
		eventsource.StreamOptionErrorHandler(func(err error) eventsource.StreamErrorHandlerResult {
			report.Lost(err)
			return eventsource.StreamErrorHandlerResult{}
		}),
		eventsource.StreamOptionUseJitter(0.5),
		eventsource.StreamOptionReadTimeout(time.Minute))
	if err != nil {
		report.Refused(err)
	}
	for event := range stream.Events {
		report.TakeEvent(event.Event(), event.Data())
	}
}
