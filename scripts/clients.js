// `npm run clients`: takes third-party clients through cuts and a restart (test/clients).
import { main } from './prepare.js'
import { runProgram } from './program.js'

const asksOnly = process.argv.includes('--help') || process.argv.includes('--list')
await main(() => runProgram('test/clients/main.ts', { services: !asksOnly }))
