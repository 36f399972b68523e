import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keepLog } from './kept-log.js'

export const COMMAND = fileURLToPath(new URL('../../src/cli/tickwire.js', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly child: ChildProcess
  readonly lines: string[]
  readonly errors: string[]
  readonly finished: Promise<Finished>
}

/** The command itself, in a process of its own with only the given environment. Servers do not warm up. */
export function startCommand (args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [COMMAND, ...args], { env: { PATH: process.env['PATH'], WARM_UP_MS: '0', ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  const lines: string[] = []
  const errors: string[] = []
  // What others print is for who called them: `token` prints a token.
  if (args[0] === 'start') for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { keepLog(String(chunk)) })
  child.stdout.on('data', chunk => { out += String(chunk); lines.splice(0, Infinity, ...out.split('\n').slice(0, -1)) })
  child.stderr.on('data', chunk => { err += String(chunk); errors.splice(0, Infinity, ...err.split('\n').slice(0, -1)) })
  const finished = new Promise<Finished>(resolve => { child.on('close', code => { resolve({ code, out, err }) }) })
  return { child, lines, errors, finished }
}

export async function runCommand (args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<Finished> {
  const { child, finished } = startCommand(args, env)
  child.stdin!.end(input)
  return await finished
}
