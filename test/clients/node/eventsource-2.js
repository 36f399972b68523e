import EventSource from 'eventsource-2'
import { ask, followEvents } from './report.js'

followEvents(() => new EventSource(ask()), EventSource.CLOSED)
