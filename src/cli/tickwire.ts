#!/usr/bin/env node
import { nearest } from '../nearest.js'
import { version } from '../version.js'
import { columns, type Command, CommandError, helpOf, readArguments, UsageError } from './command.js'
import { backtestCommand } from './commands/backtest.js'
import { certificate } from './commands/certificate.js'
import { checkConfig } from './commands/check-config.js'
import { exportCommand } from './commands/export.js'
import { nodes } from './commands/nodes.js'
import { publish } from './commands/publish.js'
import { record } from './commands/record.js'
import { sizing } from './commands/sizing.js'
import { start } from './commands/start.js'
import { tail } from './commands/tail.js'
import { token } from './commands/token.js'

/** The commands: a new one is a file in `commands` and a name in this list. */
const commands: readonly Command[] = [
  start, tail, publish, record, exportCommand, nodes, token, checkConfig, certificate, sizing,
  backtestCommand
]

function overview (): string {
  const rows = columns(commands.map(({ name, summary }) => [name, summary] as const))
  return [
    `tickwire ${version}: a streaming server for market data`,
    'usage: tickwire <command> [flags]',
    rows,
    'tickwire <command> --help explains one of them.'
  ].join('\n\n')
}

async function main ([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(overview())
    return 0
  }
  if (name === '--version' || name === '-v') {
    console.log(version)
    return 0
  }
  const command = commands.find(candidate => candidate.name === name)
  if (command === undefined) {
    const names = commands.map(({ name }) => name)
    const similar = nearest(name, names)
    const known = similar === undefined ? `there are: ${names.join(', ')}` : `did you mean ${similar}?`
    throw new UsageError(`there is no command '${name}'; ${known}`)
  }
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
