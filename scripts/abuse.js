// `npm run abuse`: shows what bad clients do to a server and to honest clients beside them (test/abuse).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/abuse/main.ts'))
