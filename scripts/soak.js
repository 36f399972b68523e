// `npm run soak`: clients come and go for long, and then nothing of them is left in the server (test/soak).
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileLimit } from '../bench/fan-out/programs.js'
import { write } from '../bench/report.js'
import { main, prepare, root } from './prepare.js'

/** Files of one process for each client: its connection, and one that is not closed yet. */
const FILES_PER_CLIENT = 2
const FILES_BESIDE = 500
const DEFAULT_CLIENTS = 2000

await main(async () => {
  prepare()
  const args = process.argv.slice(2)
  const clients = Number(/--clients[ =](\d+)/.exec(args.join(' '))?.[1] ?? DEFAULT_CLIENTS)
  const [program, ...rest] = [...fileLimit(clients * FILES_PER_CLIENT + FILES_BESIDE), process.execPath, '--import', '@tapjs/typescript/import', join(root, 'test/soak/main.ts'), ...args]
  const child = spawn(program, rest, { cwd: root, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  child.on('message', (/** @type {{ settings: object, results: object }} */ { settings, results }) => { write('soak', settings, results) })
  // An interrupt reaches the soak too; this process waits until it has ended what it started.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => { child.kill(signal) })
  process.exitCode = await new Promise(resolve => { child.on('close', code => { resolve(code ?? 1) }) })
})
