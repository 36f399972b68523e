import { testClients } from './conformance.js'

testClients(['tokens', 'life', 'fallback'], 25)
