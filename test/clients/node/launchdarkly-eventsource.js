import { EventSource } from 'launchdarkly-eventsource'
import { ask, keep, lost, mayPass, take } from './report.js'

// The library reconnects by itself. Statuses other than 500 and 502 to 504 stop it unless the filter says
// otherwise. Without a read timeout of its own it has the timeout of Node's agent: 5 s.
const events = new EventSource(ask(), {
  errorFilter: ({ status }) => status === undefined || mayPass(status),
  jitterRatio: 0.5,
  readTimeoutMillis: 60_000
})
events.onmessage = ({ data }) => { take(data) }
events.addEventListener('cursor', ({ data }) => { keep(data) })
events.addEventListener('error', () => {}) // one that nobody hears ends the process
events.addEventListener('retrying', ({ delayMillis }) => { lost(`again in ${delayMillis} ms`) })
