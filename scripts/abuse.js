// `npm run abuse`: what bad clients do to a server, beside honest ones (test/abuse).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/abuse/main.ts'))
