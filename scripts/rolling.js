// `npm run rolling`: restarts nodes one after another under load (test/rolling).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/rolling/main.ts', { services: true }))
