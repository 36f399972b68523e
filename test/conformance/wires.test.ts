import { testClients } from './conformance.js'

testClients(['frames', 'messages', 'event-stream', 'polling'], 40)
