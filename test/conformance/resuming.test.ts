import { testClients } from './conformance.js'

testClients(['cuts', 'cursors', 'epochs'], 60)
