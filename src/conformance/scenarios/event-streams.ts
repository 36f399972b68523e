import type { Scenario } from '../scenario.js'
import type { WriteEvents } from '../setup.js'
import { cut, finishes, gives, opens, sends, survives, writes } from '../steps.js'

const CLAUSE = 'Server-Sent Events'
const UNICODE = 'trades:삼성전자'
const over = ['event-stream'] as const
const LIVE = [opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]
const END = [sends('trades:A 2', 'cursor c2'), gives('trades:A 2')]

/** The same events, written in another way. */
const written = (name: string, must: string, writeEvents: WriteEvents): Scenario => ({
  name: `event-stream/${name}`,
  must,
  clause: CLAUSE,
  over,
  subscribe: ['trades:A', UNICODE],
  writeEvents,
  steps: [
    opens('trades:A', UNICODE), sends('trades:A 1', `${UNICODE} 1`, 'cursor c1', 'trades:A 2'),
    gives('trades:A 1', `${UNICODE} 1`, 'trades:A 2'), cut,
    opens('trades:A after=c1', `${UNICODE} after=c1`), sends('trades:A 2', 'trades:A 3', 'cursor c2'),
    gives('trades:A 3')
  ]
})

const bytes = (block: string, size: number): Buffer[] => {
  const all = Buffer.from(block)
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.subarray(index * size, (index + 1) * size))
}

/** Text between events that means nothing to a client. */
const between = (name: string, must: string, text: string): Scenario => ({
  name: `event-stream/${name}`,
  must,
  clause: CLAUSE,
  over,
  steps: [...LIVE, writes(text), ...END]
})

/** How events are written (WHATWG HTML, Server-sent events). */
export const eventStreamScenarios: readonly Scenario[] = [
  written('crlf', 'take CR LF for the end of a line', block => [block.replaceAll('\n', '\r\n')]),
  written('crlf-apart', 'take CR LF for one end of a line, also if the two arrive apart',
    block => block.split(/(?<=\n)/).flatMap(line => [line.replace('\n', '\r'), '\n'])),
  written('split-characters', 'join the bytes of a character that arrive apart', block => bytes(block, 7)),
  written('one-by-one', 'wait for the whole of an event, however slowly it arrives',
    block => bytes(block, 40)),
  written('without-a-space', 'take a value without a space behind the colon', block =>
    [block.replaceAll(/^(data|id|event|retry): /gm, '$1:')]),
  written('several-data-lines', 'join the lines of an event by line breaks', block =>
    [block.replaceAll(/^data: \{(.*)\}$/gm, 'data: {\ndata: $1\ndata: }')]),
  written('comments', 'ignore comments', block => [': a comment\n' + block + ':\n\n']),
  written('unknown-fields', 'ignore fields that it does not know', block =>
    [block.replaceAll(/^data: /gm, 'foo: bar\nbaz\ndata: ')]),
  between('empty-blocks', 'ignore empty lines between events', '\n\n\n'),
  between('event-without-data', 'ignore an event without data', 'event: cursor\n\n'),
  between('unknown-event', 'ignore an event whose name it does not know',
    'event: advert\ndata: {"type":"x"}\n\n'),
  {
    name: 'event-stream/not-json',
    must: 'survive an event that is not JSON, and go on, or come back',
    clause: CLAUSE,
    over,
    steps: [
      ...LIVE, writes('data: hello\n\n'), survives('trades:A after=c1', 'trades:A 2'), gives('trades:A 2')
    ]
  },
  {
    name: 'event-stream/byte-order-mark',
    must: 'ignore a byte order mark at the start of the stream',
    clause: CLAUSE,
    over,
    writeEvents: block => [block.startsWith('retry') ? '\ufeff' + block : block],
    steps: [...LIVE, ...END]
  },
  {
    name: 'event-stream/unfinished-cursor',
    must: 'not take the id of an event that has not ended',
    clause: CLAUSE,
    over,
    steps: [
      ...LIVE, writes('event: cursor\nid: c9\ndata: c9\n'), cut, opens('trades:A after=c1'), ...END
    ]
  },
  {
    name: 'event-stream/ends',
    must: 'come back from its cursor if the stream ends without a closing',
    clause: CLAUSE,
    over,
    steps: [
      ...LIVE, finishes, opens('trades:A after=c1'), ...END
    ]
  }
]
