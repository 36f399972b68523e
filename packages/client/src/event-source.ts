export { eventSource } from './transports/event-source.js'
