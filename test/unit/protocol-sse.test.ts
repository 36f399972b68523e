import {
  type Cursor,
  encodeCursor,
  escapeLineBreaks,
  MAX_EPOCH,
  MAX_OFFSET,
  sseCursor,
  sseMessage,
  sseRetry,
  type ThrottledChannels
} from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)

interface ParsedEvent {
  readonly event: string
  readonly data: string
  readonly lastEventId: string
}

/**
 * HTML, 9.2.6 "Interpreting an event stream", word for word, and sharing nothing with the writer: bytes in,
 * events out.
 */
class EventStreamParser {
  readonly events: ParsedEvent[] = []
  retry: number | undefined
  // Strips one leading byte order mark, as the clause demands.
  private readonly decoder = new TextDecoder('utf-8')
  private line = ''
  private afterCarriageReturn = false
  private data = ''
  private event = ''
  private lastEventId = ''

  push (bytes: Uint8Array): void {
    for (const character of this.decoder.decode(bytes, { stream: true })) {
      const endsPair = this.afterCarriageReturn && character === '\n'
      this.afterCarriageReturn = character === '\r'
      if (endsPair) continue
      if (character === '\r' || character === '\n') this.endLine()
      else this.line += character
    }
  }

  private endLine (): void {
    const line = this.line
    this.line = ''
    const colon = line.indexOf(':')
    if (line === '') this.dispatch()
    else if (colon < 0) this.field(line, '')
    else if (colon > 0) {
      const value = line.slice(colon + 1)
      this.field(line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value)
    }
  }

  private field (name: string, value: string): void {
    if (name === 'event') this.event = value
    else if (name === 'data') this.data += value + '\n'
    else if (name === 'id' && !value.includes('\0')) this.lastEventId = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.retry = Number(value)
  }

  private dispatch (): void {
    const { data, event } = this
    this.data = this.event = ''
    if (data === '') return
    this.events.push({
      event: event === '' ? 'message' : event,
      data: data.slice(0, -1),
      lastEventId: this.lastEventId
    })
  }
}

function parse (bytes: Uint8Array, cuts: readonly number[] = []): EventStreamParser {
  const parser = new EventStreamParser()
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) parser.push(bytes.subarray(places[i - 1], places[i]))
  return parser
}

type Written =
  | { readonly kind: 'message', readonly json: string }
  | { readonly kind: 'cursor', readonly cursor: string }
  | { readonly kind: 'retry', readonly milliseconds: number }

const hardCharacter = fc.constantFrom(
  '\r',
  '\n',
  '\r\n',
  '\0',
  '\uFEFF',
  '\u2028',
  '\u2029',
  '\u0085',
  ':',
  ' ',
  '한',
  '😀',
  '"',
  '\\',
  'data: ',
  'id: '
)
const hardText = fc
  .array(fc.oneof(hardCharacter, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 6 })
  .map(parts => parts.join(''))
const value = fc.oneof(fc.jsonValue({ stringUnit: 'binary' }), hardText, fc.dictionary(hardText, hardText))

const cursorText: fc.Arbitrary<string> = fc
  .record<Cursor>({
    shards: fc
      .array(fc.tuple(fc.nat(31), fc.record({ epoch: fc.nat(MAX_EPOCH), offset: fc.nat(MAX_OFFSET) })), {
        maxLength: 4
      })
      .map(entries => new Map(entries)),
    lostTopics: fc.option(fc.integer({ min: 0, max: 2 ** 48 - 1 }), { nil: undefined }),
    throttled: fc.constantFrom<ThrottledChannels>('all', new Set(), new Set(['quotes']))
  })
  .map(encodeCursor)

const written: fc.Arbitrary<Written> = fc.oneof(
  { weight: 3, arbitrary: value.map(value => ({ kind: 'message' as const, json: JSON.stringify(value) })) },
  { weight: 2, arbitrary: cursorText.map(cursor => ({ kind: 'cursor' as const, cursor })) },
  {
    weight: 1,
    arbitrary: fc
      .double({ min: 0, max: 3_600_000, noNaN: true })
      .map(milliseconds => ({ kind: 'retry' as const, milliseconds }))
  }
)

function write (item: Written): string {
  switch (item.kind) {
    case 'message': return sseMessage(item.json)
    case 'cursor': return sseCursor(item.cursor)
    case 'retry': return sseRetry(item.milliseconds)
  }
}

/** Returns what a browser must read. */
function expected (items: readonly Written[]): { events: ParsedEvent[], retry: number | undefined } {
  const events: ParsedEvent[] = []
  let lastEventId = ''
  let retry: number | undefined
  for (const item of items) {
    if (item.kind === 'retry') retry = Math.round(item.milliseconds)
    else if (item.kind === 'message') events.push({ event: 'message', data: item.json, lastEventId })
    else {
      lastEventId = item.cursor
      events.push({ event: 'cursor', data: item.cursor, lastEventId })
    }
  }
  return { events, retry }
}

function compare (got: EventStreamParser, items: readonly Written[]): void {
  const { events, retry } = expected(items)
  if (JSON.stringify(got.events) !== JSON.stringify(events)) {
    throw new Error(`read ${JSON.stringify(got.events)}\ninstead of ${JSON.stringify(events)}`)
  }
  if (got.retry !== retry) throw new Error(`retry ${got.retry} instead of ${retry}`)
}

const cuts = fc.array(fc.nat(100_000), { maxLength: 20 })

test('writes what a browser reads back, wherever the bytes are cut', async t => {
  fc.assert(fc.property(fc.array(written, { maxLength: 12 }), cuts, (items, cuts) => {
    const bytes = Buffer.from(items.map(write).join(''))
    compare(parse(bytes, cuts), items)
    compare(parse(bytes, Array.from(bytes.keys())), items)
  }), { numRuns })
  t.pass(`${numRuns} streams`)
})

test('is read the same with comments between events, and with any line ends that a proxy may make', async t => {
  const lineEnd = fc.constantFrom('\n', '\r', '\r\n')
  const comment = fc.option(
    fc.string({ unit: 'binary', maxLength: 10 }).map(text => ':' + text.replaceAll(/[\r\n]/g, '')),
    { nil: undefined }
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(written, comment, lineEnd), { maxLength: 8 }), cuts, (items, cuts) => {
      const text = items
        .map(([item, comment, end]) =>
          (write(item) + (comment === undefined ? '' : comment + '\n')).replaceAll('\n', end)
        )
        .join('')
      compare(
        parse(Buffer.from(text), cuts),
        items.map(([item]) => item)
      )
    }),
    { numRuns }
  )
  t.pass(`${numRuns} streams`)
})

test('does not dispatch an event that was cut off, and does not count its cursor', async t => {
  const whole = sseMessage('{"a":1}')
  const mark = sseCursor('AQAAAAA')
  for (let at = 0; at < mark.length; at++) {
    const { events } = parse(Buffer.from(whole + mark.slice(0, at)))
    t.same(events, [{ event: 'message', data: '{"a":1}', lastEventId: '' }])
  }
})

test('writes exactly these bytes', async t => {
  t.equal(sseMessage('{"type":"pong"}'), 'data: {"type":"pong"}\n\n')
  t.equal(sseCursor('abc.r'), 'event: cursor\nid: abc.r\ndata: abc.r\n\n')
  t.equal(
    sseRetry(1499.6) + sseMessage('{}'),
    'retry: 1500\ndata: {}\n\n',
    'a block that begins with retry has data'
  )
})

/** The characters at which Python's `str.splitlines` ends a line, beside CR and LF. */
const PYTHON_LINE_BREAKS = [...'\v\f\x1c\x1d\x1e\x85\u2028\u2029']

test('escapes what a reader in Python takes for a line break, and means the same', async t => {
  const breaking = fc.constantFrom(
    '\v',
    '\f',
    '\x1c',
    '\x1d',
    '\x1e',
    '\u0085',
    '\u2028',
    '\u2029',
    '"',
    '\\',
    '\\u2028',
    '한'
  )
  const text = fc
    .array(fc.oneof(breaking, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 8 })
    .map(parts => parts.join(''))
  fc.assert(fc.property(fc.dictionary(text, text), value => {
    const json = JSON.stringify(value)
    const escaped = escapeLineBreaks(json)
    if (PYTHON_LINE_BREAKS.some(character => escaped.includes(character))) {
      throw new Error(`a line break in ${JSON.stringify(escaped)}`)
    }
    if (JSON.stringify(JSON.parse(escaped)) !== json) {
      throw new Error(`${JSON.stringify(escaped)} says something else`)
    }
  }), { numRuns })
  t.pass(`${numRuns} objects`)
  t.equal(
    escapeLineBreaks('"\u2028\u2029\u0085 \u0084\u0086\u2027\u202a"'),
    '"\\u2028\\u2029\\u0085 \u0084\u0086\u2027\u202a"'
  )
})
