import { EventSource } from 'eventsource-4'
import { ask, followEvents } from './report.js'

followEvents(() => new EventSource(ask()), EventSource.CLOSED)
