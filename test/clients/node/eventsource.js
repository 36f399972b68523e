import { EventSource } from 'eventsource'
import { ask, followEvents } from './report.js'

followEvents(() => new EventSource(ask()), EventSource.CLOSED)
