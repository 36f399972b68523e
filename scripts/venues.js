// `npm run venues`: plays venues that misbehave to the live sources (test/venues).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/venues/main.ts'))
