// `npm run faults`: runs the fault checker of the log on Redis (test/faults).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/faults/main.ts', { services: true }))
