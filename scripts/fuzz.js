// `npm run fuzz`: sends a server generated inputs, and judges each answer (test/fuzz).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/fuzz/main.ts'))
