import { createEventSource } from 'eventsource-client'
import { ask, keep, lost, take } from './report.js'

// Comes back by itself, behind refusals too.
createEventSource({
  url: ask(),
  onMessage: ({ event, data }) => { event === 'cursor' ? keep(data) : take(data) },
  onDisconnect: () => { lost('the stream ended') },
  onScheduleReconnect: ({ delay }) => { lost(`again in ${delay} ms`) }
})
