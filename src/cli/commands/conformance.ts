import { playAll, type Result, type Run, runsOf } from '../../conformance/run.js'
import { scenarios } from '../../conformance/scenarios/index.js'
import { type Transport, transports } from '../../conformance/setup.js'
import { columns, type Command, texts, UsageError, type Values, wholeNumber } from '../command.js'

const DEFAULT_AT_ONCE = 8
const DEFAULT_PATIENCE_SECONDS = 20

export const conformance: Command = {
  name: 'conformance',
  summary: 'Plays scripted servers to a client of your own, and says where it does not keep to PROTOCOL.md.',
  usage: '[flags] -- <command that starts a driver>',
  options: {
    only: {
      type: 'string',
      multiple: true,
      value: 'name',
      description: 'plays this scenario, or all of a group (epochs); may be given more than once'
    },
    transport: {
      type: 'string',
      short: 't',
      multiple: true,
      value: transports.join('|'),
      description: 'what the client can; may be given more than once; default all'
    },
    list: { type: 'boolean', description: 'lists the scenarios, and plays none' },
    'at-once': {
      type: 'string', value: 'n', description: `scenarios side by side; default ${DEFAULT_AT_ONCE}`
    },
    patience: {
      type: 'string',
      value: 'seconds',
      description: `how long a step waits for the client; default ${DEFAULT_PATIENCE_SECONDS}`
    },
    json: { type: 'boolean', description: 'prints an object a line, for programs' }
  },
  examples: [
    'tickwire conformance -- python -m my_client.driver',
    'tickwire conformance --only rule --only cuts/again-and-again --transport polling -- ./my-driver',
    'tickwire conformance --list'
  ],

  async run ({ values, positionals }) {
    const runs = runsOfFlags(values)
    if (values['list'] === true) {
      console.log(listOf(runs))
      return 0
    }
    if (positionals.length === 0) {
      throw new UsageError('conformance needs the command that starts a driver: ' +
        'conformance -- node driver.js')
    }
    const isJson = values['json'] === true
    const started = performance.now()
    let failed = 0
    const options = {
      command: positionals,
      atOnce: wholeNumber(values, 'at-once') ?? DEFAULT_AT_ONCE,
      patienceMs: 1000 * (wholeNumber(values, 'patience') ?? DEFAULT_PATIENCE_SECONDS)
    }
    for await (const result of playAll(runs, options)) {
      if (result.why !== undefined) failed++
      console.log(isJson ? JSON.stringify(jsonOf(result)) : lineOf(result))
    }
    const seconds = Math.round((performance.now() - started) / 1000)
    const passed = runs.length - failed
    console.log(isJson
      ? JSON.stringify({ passed, failed, seconds })
      : `${passed} passed, ${failed} failed, in ${seconds} s`)
    return failed === 0 ? 0 : 1
  }
}

/** Returns what the flags choose. @throws UsageError */
function runsOfFlags (values: Values): Run[] {
  const available = texts(values, 'transport') as Transport[]
  const unknown = available.find(name => !transports.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`--transport is one of ${transports.join(', ')}, not '${unknown}'`)
  }
  const only = texts(values, 'only')
  const isMeant = (name: string, wanted: string): boolean => name === wanted || name.startsWith(`${wanted}/`)
  const unmet = only.find(wanted => !scenarios.some(({ name }) => isMeant(name, wanted)))
  if (unmet !== undefined) {
    throw new UsageError(`there is no scenario and no group '${unmet}'; --list shows all`)
  }
  const chosen = scenarios.filter(({ name }) =>
    only.length === 0 || only.some(wanted => isMeant(name, wanted)))
  return runsOf(chosen, available.length === 0 ? transports : available)
}

/** Writes the scenarios, each with the transports that it is played over. */
function listOf (runs: readonly Run[]): string {
  const names = [...new Set(runs.map(({ scenario }) => scenario))].map(scenario => {
    const over = runs.filter(run => run.scenario === scenario).map(waysOf)
    return [scenario.name, `${over.join(', ')}: the client must ${scenario.must}`] as const
  })
  return columns(names)
}

const waysOf = ({ allowed }: Run): string => allowed.join('+')

const jsonOf = (result: Result): object => ({
  scenario: result.scenario.name,
  transports: result.allowed,
  ok: result.why === undefined,
  seconds: result.seconds,
  ...(result.why === undefined ? {} : { why: result.why })
})

const lineOf = (result: Result): string => {
  const what = `${result.scenario.name} (${waysOf(result)})`
  return result.why === undefined ? `ok   ${what}` : `FAIL ${what}: ${result.why}`
}
