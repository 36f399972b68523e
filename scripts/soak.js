// `npm run soak`: lets clients come and go for a long time, and then checks that the server has kept nothing
// of them (test/soak).
import { fileLimit } from '../bench/fan-out/programs.js'
import { write } from '../bench/report.js'
import { main } from './prepare.js'
import { runProgram } from './program.js'

/** Files of one process for each client: its connection, and one that is not yet closed. */
const FILES_PER_CLIENT = 2
const FILES_BESIDE = 500
const DEFAULT_CLIENTS = 2000

await main(() => {
  const clients = Number(/--clients[ =](\d+)/.exec(process.argv.join(' '))?.[1] ?? DEFAULT_CLIENTS)
  return runProgram('test/soak/main.ts', {
    prefix: fileLimit(clients * FILES_PER_CLIENT + FILES_BESIDE),
    onMessage: ({ settings, results }) => { write('soak', settings, results) }
  })
})
