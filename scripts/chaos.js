// `npm run chaos`: leads clients through networks, proxies and servers that fail (test/chaos).
import { main } from './prepare.js'
import { runProgram } from './program.js'

await main(() => runProgram('test/chaos/main.ts', { services: true }))
