// Runs a program of test/ (the fault checker, the soak and so on), after building it and finding what it
// needs.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { compiled, prepare, root } from './prepare.js'
import { provideServices } from './services.js'

/**
 * @typedef {object} ProgramOptions
 * @property {boolean} [services] whether it needs Redis, Chromium and nginx
 * @property {string[]} [prefix] a command that runs it: `prlimit …`
 * @property {(message: any) => void} [onMessage] receives what the program reports over its channel
 */

/**
 * Builds the tests, runs one of their programs with this process's arguments, and ends with its exit code.
 * @param {string} file the path of its source: test/soak/main.ts
 * @param {ProgramOptions} [options]
 */
export async function runProgram (file, { services = false, prefix = [], onMessage } = {}) {
  prepare({ tests: true })
  const env = services ? { ...process.env, ...provideServices() } : process.env
  const program = [process.execPath, '--enable-source-maps', join(root, compiled(file))]
  const [command, ...args] = [...prefix, ...program, ...process.argv.slice(2)]
  const child = spawn(command, args, {
    cwd: root, env, stdio: onMessage === undefined ? 'inherit' : ['inherit', 'inherit', 'inherit', 'ipc']
  })
  if (onMessage !== undefined) child.on('message', onMessage)
  passSignals(child)
  process.exitCode = await new Promise(resolve => { child.on('close', code => { resolve(code ?? 1) }) })
}

/**
 * Passes interrupts on to a program. This process waits until the program has ended what it started.
 * @param {import('node:child_process').ChildProcess} child
 */
export function passSignals (child) {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => { child.kill(signal) })
  }
}
