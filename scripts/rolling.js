// `npm run rolling`: nodes that are restarted one after another under load (test/rolling), with what it needs built and found.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { main, prepare, root } from './prepare.js'
import { provideServices } from './services.js'

await main(async () => {
  prepare()
  const env = { ...process.env, ...provideServices() }
  const child = spawn(process.execPath, ['--import', '@tapjs/typescript/import', join(root, 'test/rolling/main.ts'), ...process.argv.slice(2)], { cwd: root, env, stdio: 'inherit' })
  // An interrupt reaches the checker too; this process waits until it has ended what it started.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => { child.kill(signal) })
  process.exitCode = await new Promise(resolve => { child.on('close', code => { resolve(code ?? 1) }) })
})
