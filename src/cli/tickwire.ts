#!/usr/bin/env node
import { nearest } from '../nearest.js'
import { version } from '../version.js'
import { columns, type Command, CommandError, helpOf, readArguments, UsageError } from './command.js'

/** The commands: a new one is a file in `commands` and a line here. A command line loads only its own. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.js')).start,
  tail: async () => (await import('./commands/tail.js')).tail,
  publish: async () => (await import('./commands/publish.js')).publish,
  record: async () => (await import('./commands/record.js')).record,
  export: async () => (await import('./commands/export.js')).exportCommand,
  nodes: async () => (await import('./commands/nodes.js')).nodes,
  token: async () => (await import('./commands/token.js')).token,
  'check-config': async () => (await import('./commands/check-config.js')).checkConfig,
  certificate: async () => (await import('./commands/certificate.js')).certificate,
  sizing: async () => (await import('./commands/sizing.js')).sizing,
  backtest: async () => (await import('./commands/backtest.js')).backtestCommand,
  conformance: async () => (await import('./commands/conformance.js')).conformance
}

async function overview (): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(async load => await load()))
  const rows = columns(all.map(({ name, summary }) => [name, summary] as const))
  return [
    `tickwire ${version}: a streaming server for market data`,
    'usage: tickwire <command> [flags]',
    rows,
    'tickwire <command> --help explains one of them.'
  ].join('\n\n')
}

async function main ([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(await overview())
    return 0
  }
  if (name === '--version' || name === '-v') {
    console.log(version)
    return 0
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) {
    const names = Object.keys(commands)
    const similar = nearest(name, names)
    const known = similar === undefined ? `there are: ${names.join(', ')}` : `did you mean ${similar}?`
    throw new UsageError(`there is no command '${name}'; ${known}`)
  }
  const command = await load()
  const { values, positionals } = readArguments(command, args)
  if (values['help'] === true) {
    console.log(helpOf(command))
    return 0
  }
  return await command.run({ values, positionals, env: process.env })
}

// If a reader has seen enough and closes the pipe (`| head`), the command has not failed.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? 0 : 1) })

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CommandError)) throw error
  console.error(`tickwire: ${error.message}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
