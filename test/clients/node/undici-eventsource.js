import { EventSource } from 'undici'
import { ask, followEvents } from './report.js'

followEvents(() => new EventSource(ask()), EventSource.CLOSED)
