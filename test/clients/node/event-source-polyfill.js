import { EventSourcePolyfill } from 'event-source-polyfill'
import { ask, followEvents } from './report.js'

// Behind a cut it comes back with `lastEventId=` in the query. Its own timeout is 45 s without a byte.
followEvents(() => new EventSourcePolyfill(ask(), { headers: {} }), EventSourcePolyfill.CLOSED)
