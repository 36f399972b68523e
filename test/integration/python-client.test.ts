import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ClientRule, errorTable } from '@tickwire/protocol'
import { test } from 'tap'
import { PACKAGE, providePython, runPython } from '../helpers/python-client.js'
import { Choices } from '../helpers/random.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''

test('the tests that the Python client has of its own pass', { skip }, async t => {
  const { stderr } = await runPython(program, ['-m', 'unittest', 'discover', '-s', 'tests', '-v'])
  const files = readdirSync(join(PACKAGE, 'tests')).filter(name => /^test_.*\.py$/.test(name))
  t.ok(files.length > 5, `${files.length} files`)
  for (const file of files) t.match(stderr, new RegExp(`\\(${file.replace('.py', '')}\\..*ok`), `${file} ran`)
  t.match(stderr, /\nOK\n$/)
})

test('the Python client has the table of errors of the protocol', { skip }, async t => {
  const script = 'import json; from tickwire.errors import ERROR_TABLE as t; print(json.dumps({c: e._asdict() for c, e in t.items()}))'
  const { stdout } = await runPython(program, ['-c', script])
  const found = JSON.parse(stdout) as Record<string, unknown>
  t.strictSame(Object.keys(found).sort(), Object.keys(errorTable).sort())
  for (const [code, { close, status, client }] of Object.entries(errorTable)) {
    t.strictSame(found[code], { close, status, client }, code)
  }
})

test('the Python client judges messages as the rule of the protocol does', { skip }, async t => {
  const seed = Number(process.env['SEED'] ?? 20260207)
  t.comment(`SEED=${seed}`)
  const choices = new Choices(seed)
  const cases = Array.from({ length: 400 }, () => makeSteps(choices))
  const verdicts = cases.map(steps => {
    const rule = new ClientRule()
    return steps.flatMap(step => {
      if (step.do === 'connected') rule.connected()
      else if (step.do === 'cursor') rule.cursor()
      else return rule.take(step.message)
      return []
    })
  })
  for (const verdict of ['new', 'duplicate', 'gap', 'reset', 'control']) t.ok(verdicts.flat().filter(each => each === verdict).length > 100, `${verdict} is among them`)
  const { stdout } = await runPython(program, ['tests/rule_oracle.py'], JSON.stringify(cases))
  const found = JSON.parse(stdout) as string[][]
  const wrong = cases.findIndex((_, at) => JSON.stringify(found[at]) !== JSON.stringify(verdicts[at]))
  t.equal(found.length, cases.length)
  t.strictSame(found[wrong], verdicts[wrong], JSON.stringify(cases[wrong]))
})

interface Step {
  readonly do: 'connected' | 'cursor' | 'take'
  readonly message: { readonly type: string }
}

/** A client's life: a few topics that go on, are sent again, jump, and begin anew in other epochs. */
function makeSteps (choices: Choices): Step[] {
  const take = (message: { type: string }): Step => ({ do: 'take', message })
  const last = new Map<string, number>()
  return Array.from({ length: choices.integer(5, 60) }, () => {
    const kind = choices.integer(0, 19)
    const symbol = choices.pick(['A', 'B'])
    if (kind === 0) return { do: 'connected', message: { type: '' } }
    if (kind === 1) return { do: 'cursor', message: { type: '' } }
    if (kind === 2) return take({ type: choices.pick(['subscribed', 'epoch']), ...{ channel: 'quotes', epoch: choices.pick(['e1', 'e2', 'e3']) } })
    if (kind === 3) return take({ type: 'reset', ...{ channel: 'quotes', symbol } })
    const sequence = Math.max(1, (last.get(symbol) ?? 0) + choices.pick([1, 1, 1, 1, 1, 0, -1, -3, 2, 4]))
    last.set(symbol, sequence)
    const snapshot = choices.chance(0.1) ? { snapshot: true } : {}
    const prev = choices.chance(0.2) ? { prev: Math.max(0, sequence - choices.integer(1, 4)) } : {}
    return take({ type: 'quote', ...{ channel: 'quotes', symbol, sequence, ...snapshot, ...prev } })
  })
}

test('the Python client installs as a package, with its types', { skip }, async t => {
  const folder = temporaryFolder(t)
  // The build writes beside its sources.
  cpSync(PACKAGE, join(folder, 'source'), { recursive: true })
  const target = join(folder, 'installed')
  mkdirSync(target)
  await runPython(program, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--no-build-isolation', '--target', target, join(folder, 'source')])
  const script = 'import tickwire, tickwire.driver, importlib.metadata as m; print(tickwire.__file__, m.version("tickwire"))'
  const { stdout } = await runPython(program, ['-c', script], '', target)
  t.match(stdout, `${join(target, 'tickwire/__init__.py')} 0.1.0`)
  t.ok(readdirSync(join(target, 'tickwire')).includes('py.typed'))
  t.ok(readdirSync(join(target, 'tickwire')).includes('transports'))
})
