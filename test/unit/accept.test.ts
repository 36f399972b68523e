import fc from 'fast-check'
import { test } from 'tap'
import { asksForEventStream } from '../../src/transports/accept.js'

/** PROTOCOL.md, One URL: whether `Accept` asks for an event stream or a poll. */
const cases: ReadonlyArray<readonly [accept: string | undefined, stream: boolean]> = [
  [undefined, false],
  ['', false],
  ['text/event-stream', true],
  ['TEXT/Event-Stream', true],
  [' text/event-stream ', true],
  ['text/event-stream;charset=utf-8', true],
  ['text/event-stream; charset="utf-8, x"; q=0.9', true],
  ['text/event-stream-bogus', false],
  ['x-text/event-stream', false],
  ['application/x; y="text/event-stream"', false],
  ['application/x; y=", text/event-stream, "', false],
  ['text/event-stream/x', false],

  ['*/*', false],
  ['*/*;q=0.1', false],
  ['application/json', false],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', false],
  ['text/event-stream, */*', true],
  ['*/*, text/event-stream', true],
  ['text/event-stream, application/json', true],
  ['application/json, text/event-stream', true],
  ['text/event-stream;q=0.9, application/json', false],
  ['text/event-stream, application/json;q=0.9', true],
  ['text/event-stream;q=0.5, application/json;q=0.5', true],
  ['text/event-stream;q=0.5, */*', false],
  ['text/event-stream;q=0.5, */*;q=0.1', true],
  ['text/event-stream;q=0.5, application/*', false],
  ['text/event-stream;q=0.5, application/*;q=0.8, application/json;q=0.1', true],
  ['text/*', true],
  ['text/*;q=0.5, */*;q=0.8', false],
  ['text/*, text/event-stream;q=0', false],

  ['text/event-stream;q=0', false],
  ['text/event-stream;q=0, application/json', false],
  ['text/event-stream;q=0.000, */*', false],
  ['text/event-stream;q=0.001', true],
  ['text/event-stream;Q=1.000', true],
  ['text/event-stream ; q=0.5', true],
  ['text/event-stream;q=0.5, text/event-stream', true],
  ['text/event-stream;q=1.5', false],
  ['text/event-stream;q=-1', false],
  ['text/event-stream;q=', false],
  ['text/event-stream;q=much', false],
  [',,text/event-stream,,', true],
  ['text/event-stream;', true],
  ['"text/event-stream', false]
]

test('reads from Accept whether a client asks for an event stream', async t => {
  for (const [accept, stream] of cases) t.equal(asksForEventStream(accept), stream, accept ?? 'none')
})

test('reads any random header without throwing or taking long', async t => {
  const part = fc.constantFrom(
    'text/event-stream',
    'text/*',
    '*/*',
    'application/json',
    ';',
    ',',
    '"',
    '\\',
    'q=',
    '0',
    '1',
    '.5',
    ' ',
    '='
  )
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 40 }).map(parts => parts.join('')),
      accept => {
        asksForEventStream(accept)
      }
    ),
    { numRuns: 5000 }
  )
  for (const character of ['"', ',', ';', '"\\', 'a', ';q=']) asksForEventStream(character.repeat(16_384))
  t.pass('none threw')
})
