// `npm run orders`: sends orders again and again while servers and Redis are killed (test/orders).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/orders/main.ts', { services: true }))
