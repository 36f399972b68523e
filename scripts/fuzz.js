// `npm run fuzz`: generated inputs for a server, each answer judged (test/fuzz).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/fuzz/main.ts'))
