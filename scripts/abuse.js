// `npm run abuse`: what bad clients do to a server, beside honest ones (test/abuse).
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { main, prepare, root } from './prepare.js'

await main(async () => {
  prepare()
  const child = spawn(process.execPath, ['--import', '@tapjs/typescript/import', join(root, 'test/abuse/main.ts'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
  // An interrupt reaches it too; this process waits until it has ended what it started.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => { child.kill(signal) })
  process.exitCode = await new Promise(resolve => { child.on('close', code => { resolve(code ?? 1) }) })
})
