import { testClients } from './conformance.js'

testClients(['rule', 'resets', 'unsubscribe', 'options'], 70)
