import { parseArgs } from 'node:util'
import { nearest } from '../nearest.js'

/** A flag of a command. */
export interface Option {
  readonly type: 'string' | 'boolean'
  readonly multiple?: boolean
  readonly short?: string
  /** The placeholder behind the flag in the help: `--port <number>`. */
  readonly value?: string
  readonly description: string
}

export type Values = Readonly<Record<string, string | boolean | Array<string | boolean> | undefined>>

/** The input of a command: its flags, the rest of the line, and the environment. */
export interface Invocation {
  readonly values: Values
  readonly positionals: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** The arguments behind the name: `<channel> [symbol]`. */
  readonly usage: string
  readonly options: Readonly<Record<string, Option>>
  readonly examples: readonly string[]
  /** Environment variables that have no flags because they hold secrets, and what they mean. */
  readonly secrets?: ReadonlyArray<readonly [name: string, description: string]>
  /** Runs the command. @returns the exit code @throws CommandError, UsageError */
  run (invocation: Invocation): Promise<number>
}

/** The command failed; the message says what to do. Exit code 1. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
}

/** The command line is wrong. Exit code 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError'
}

const HELP: Option = { type: 'boolean', short: 'h', description: 'shows this text' }

/** Reads a command's arguments. @throws UsageError */
export function readArguments (
  { name, options, secrets = [] }: Command, args: readonly string[]
): Omit<Invocation, 'env'> {
  const known = { ...options, help: HELP }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: known, allowPositionals: true })
    return { values, positionals }
  } catch (error) {
    const unknown = /Unknown option '(--?)([\w-]+)/.exec(String(error))
    if (unknown === null) throw new UsageError(`${name}: ${(error as Error).message}`)
    const secret = secrets.find(([variable]) => flagOf(variable) === unknown[2])
    if (secret !== undefined) {
      throw new UsageError(`${name} has no flag --${unknown[2]}, since everybody on this machine can read ` +
        `a command line; set the environment variable ${secret[0]}`)
    }
    const similar = nearest(unknown[2]!, Object.keys(known))
    const meant = similar === undefined ? '' : `; did you mean --${similar}?`
    throw new UsageError(`${name} has no flag ${unknown[1]}${unknown[2]}${meant}`)
  }
}

/** Returns the flag that stands for an environment variable. */
export const flagOf = (variable: string): string => variable.toLowerCase().replaceAll('_', '-')

/** Returns the help of one command. */
export function helpOf ({ name, summary, usage, options, examples, secrets = [] }: Command): string {
  const flags = Object.entries({ ...options, help: HELP }).map(([flag, { short, value, description }]) => {
    const start = `${short === undefined ? '' : `-${short}, `}--${flag}`
    return [`${start}${value === undefined ? '' : ` <${value}>`}`, description] as const
  })
  const variables = 'environment variables, since everybody on this machine can read a command line:'
  return [
    summary,
    `usage: tickwire ${name} ${usage}`,
    columns(flags),
    ...(secrets.length === 0 ? [] : [variables, columns(secrets)]),
    `example${examples.length > 1 ? 's' : ''}:\n${examples.map(line => `  ${line}`).join('\n')}`
  ].join('\n\n')
}

/** Lays rows out in two columns, the second aligned. */
export function columns (rows: ReadonlyArray<readonly [string, string]>): string {
  const width = Math.max(...rows.map(([first]) => first.length))
  return rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`.trimEnd()).join('\n')
}

/** Returns a flag's text; undefined if it was not given. */
export function text (values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

export function texts (values: Values, name: string): string[] {
  const value = values[name]
  return Array.isArray(value) ? value.map(String) : []
}

/** Reads a flag's whole number; undefined if it was not given. @throws UsageError */
export function wholeNumber (values: Values, name: string): number | undefined {
  const value = text(values, name)
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(value)) {
    throw new UsageError(`--${name} is a whole number above 0, not '${value}'`)
  }
  return Number(value)
}
