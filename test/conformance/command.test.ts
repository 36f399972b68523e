import { test } from 'tap'
import { runCommand } from '../helpers/command.js'

test('conformance lists its scenarios, each once, and those of a transport', async t => {
  const { code, out } = await runCommand(['conformance', '--list'])
  t.equal(code, 0)
  const names = out.trim().split('\n').map(line => line.trim().split(' ')[0]!)
  t.ok(names.length >= 60, `${names.length} are listed`)
  t.same(names.filter((name, index) => names.indexOf(name) !== index), [])
  const polling = await runCommand(['conformance', '--list', '--transport', 'polling'])
  t.match(polling.out, 'rule/duplicate')
  t.notMatch(polling.out, /websocket|event-stream/)
})

test('conformance says what is wrong with its arguments', async t => {
  const cases: Array<[args: string[], error: RegExp]> = [
    [[], /conformance needs the command that starts a driver/],
    [['--only', 'nothing', '--', 'true'], /there is no scenario and no group 'nothing'; --list shows all/],
    [['--transport', 'ws', '--', 'true'], /--transport is one of websocket, event-stream, polling, not 'ws'/]
  ]
  for (const [args, error] of cases) {
    const { code, err } = await runCommand(['conformance', ...args])
    t.equal(code, 2)
    t.match(err, error)
  }
})

test('conformance says why a driver cannot be used', async t => {
  const cases: Array<[driver: string[], why: RegExp]> = [
    [['/nowhere/driver'], /the driver does not start: .*ENOENT/],
    [[process.execPath, '-e', 'console.error("no such module"); process.exitCode = 3'],
      /the driver ended with 3.*no such module/],
    [[process.execPath, '-e', 'console.log("hello")'], /the driver wrote a line that is not an event: hello/]
  ]
  for (const [driver, why] of cases) {
    const { code, out } = await runCommand(['conformance', '--only', 'rule/duplicate', '-t', 'polling', '--',
      ...driver])
    t.equal(code, 1)
    t.match(out, why)
    t.match(out, /0 passed, 1 failed/)
  }
})
