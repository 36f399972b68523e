import { parseArgs, type ParseArgsConfig } from 'node:util'
import { insteadOf } from '../../src/nearest.js'

/** A program of `npm run …`: its options, what it says on the way, its report, and its exit code. */

type Options = NonNullable<ParseArgsConfig['options']>
type Values<Given extends Options> = ReturnType<typeof parseArgs<{ options: Given }>>['values']

/** Failures that are printed; the others are counted. */
const SHOWN = 30
/** The exit code that shells give an interrupted program: 128 and the number of SIGINT. */
const INTERRUPTED = 130
const WHOLE = /^[1-9]\d{0,8}$/

/** An option with a value. */
export const text = (value: string | number) => ({ type: 'string', default: String(value) } as const)
/** Repeats a run; without it, each is another one. */
export const seed = () => text(Date.now() % 1_000_000 + 1)

export interface Outcome {
  readonly lines: readonly string[]
  /** What does not hold, a line each. */
  readonly failures: readonly string[]
  /** Said where all holds. */
  readonly holds?: string
}

export interface Program<Given extends Options> {
  /** What `--help` shows; it begins with `usage: `. */
  readonly usage: string
  readonly options: Given
  /** Which of them are whole numbers above 0, where they are given. */
  readonly numbers: ReadonlyArray<keyof Given & string>
  /**
   * @param number the value of an option
   * @returns an exit code, where it has said all itself; 'usage' where options do not go together
   */
  run (values: Values<Given>, number: (name: keyof Given & string) => number, say: (line: string) => void):
  Promise<Outcome | number | 'usage'>
}

/** Runs it and ends this process: 0 if all holds, 1 if something does not, 2 if the options are wrong. */
export async function runProgram<const Given extends Options> (program: Program<Given>): Promise<never> {
  // What a run has started ends with it: nodes, neighbours and Redis listen for `exit`.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, () => { process.exit(INTERRUPTED) })
  process.exit(await exitCode(program))
}

async function exitCode<const Given extends Options> (program: Program<Given>): Promise<number> {
  const { usage, options, numbers, run } = program
  const values = programOptions(usage, { ...options, help: { type: 'boolean', default: false } }) as
    Values<Given> & Readonly<Record<string, string | undefined>> & { readonly help: boolean }
  const isWrong = numbers.some(name => values[name] !== undefined && !WHOLE.test(values[name]))
  if (values.help || isWrong) return showUsage(usage, values.help)
  const seedOf = values['seed'] === undefined ? '' : `seed ${values['seed']}`
  if (seedOf !== '') console.log(seedOf)
  const began = Date.now()
  const say = (line: string): void => {
    const seconds = ((Date.now() - began) / 1000).toFixed(1)
    console.log(`${seconds.padStart(6)} s  ${line}`)
  }
  const outcome = await run(values, name => Number(values[name]), say)
  if (outcome === 'usage') return showUsage(usage, false)
  if (typeof outcome === 'number') return outcome
  const { lines, failures, holds = 'holds' } = outcome
  const shown = failures.slice(0, SHOWN).map(failure => `FAILED ${failure}`)
  for (const line of ['', ...lines, '', ...shown]) console.log(line)
  if (failures.length > SHOWN) console.log(`… and ${failures.length - SHOWN} more`)
  const verdict = failures.length === 0 ? holds : `${failures.length} failures`
  console.log(seedOf === '' ? verdict : `${verdict}, ${seedOf}`)
  return failures.length === 0 ? 0 : 1
}

function showUsage (usage: string, wasAsked: boolean): number {
  console.log(usage)
  return wasAsked ? 0 : 2
}

/** Reads the options. If one is unknown, prints which one and the usage, and ends the program. */
function programOptions<const Given extends Options> (usage: string, options: Given): Values<Given> {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    const unknown = /^Unknown option '--([^']*)'/.exec((error as Error).message)?.[1]
    const names = Object.keys(options)
    if (unknown === undefined) console.error((error as Error).message)
    else console.error(`there is no option --${unknown}${insteadOf(unknown, names)}`)
    console.error(`\n${usage}`)
    process.exit(2)
  }
}
