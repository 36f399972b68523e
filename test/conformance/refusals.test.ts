import { testClients } from './conformance.js'

testClients(['refusals', 'rejected', 'closing', 'close-codes'], 60)
