// `npm run clients`: third-party clients through cuts and a restart (test/clients), with what that needs built and found.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { main, prepare, root } from './prepare.js'
import { provideServices } from './services.js'

await main(async () => {
  const args = process.argv.slice(2)
  prepare()
  const env = args.includes('--help') || args.includes('--list') ? process.env : { ...process.env, ...provideServices() }
  const child = spawn(process.execPath, ['--import', '@tapjs/typescript/import', join(root, 'test/clients/main.ts'), ...args], { cwd: root, env, stdio: 'inherit' })
  // An interrupt reaches it too; this process waits until it has ended what it started.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => { child.kill(signal) })
  process.exitCode = await new Promise(resolve => { child.on('close', code => { resolve(code ?? 1) }) })
})
