import type { Scenario } from '../scenario.js'
import { answersAsProxy, cut, gives, onSocket, opens, sends, survives, writes } from '../steps.js'

const LIVE = [opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]
const END = [sends('trades:A 2', 'cursor c2'), gives('trades:A 2')]
const NEW_TYPE = { type: 'forecast', channel: 'trades', symbol: 'A', confidence: 0.5 }
const LARGE = `news 1 value=${'x'.repeat(1_000_000)}`

/** Frames, answers and messages that a client may not expect. */
export const frameScenarios: readonly Scenario[] = [
  ...([
    ['binary-frame', 'a binary frame', Buffer.from([0, 255, 1])],
    ['not-json', 'a frame that is not JSON', 'hello'],
    ['null', 'a frame that is null', 'null'],
    ['number', 'a frame that is a number', '17'],
    ['empty-object', 'a message without a type', '{}'],
    ['empty-array', 'an empty batch', '[]']
  ] as const).map(([name, what, frame]): Scenario => ({
    name: `frames/${name}`,
    must: `survive ${what}, and go on, or come back`,
    clause: 'Server → client',
    over: ['websocket'],
    steps: [
      ...LIVE, writes(frame), survives('trades:A after=c1', 'trades:A 2'), gives('trades:A 2')
    ]
  })),
  {
    name: 'frames/batch',
    must: 'read the messages of a batch in their order, if it offers tickwire.v1.batch',
    clause: 'One URL',
    over: ['websocket'],
    steps: [
      opens('trades:A'),
      sends(...Array.from({ length: 200 }, (_, index) => `trades:A ${index + 1}`), 'cursor c1',
        'trades:A 201'),
      gives(...Array.from({ length: 201 }, (_, index) => `trades:A ${index + 1}`)), cut,
      opens('trades:A after=c1'), sends('trades:A 201', 'trades:A 202', 'cursor c2'), gives('trades:A 202')
    ]
  },
  {
    name: 'frames/fragments',
    must: 'join the fragments of a message',
    clause: 'One URL',
    over: ['websocket'],
    steps: [
      ...LIVE,
      onSocket(socket => {
        socket.send('{"type":"heartbeat","timestamp":"2026-02-07T14:30:00.123Z",', { fin: false })
        socket.send('"cursor":"c5"}', { fin: true })
      }),
      sends('trades:A 2'), gives('trades:A 2'), cut, opens('trades:A after=c5'),
      sends('trades:A 2', 'trades:A 3', 'cursor c6'), gives('trades:A 3')
    ]
  },
  {
    name: 'messages/large',
    must: 'read a message of a megabyte',
    clause: 'Publishing, MAX_MESSAGE_BYTES',
    subscribe: ['news'],
    steps: [
      opens('news'), sends(LARGE, 'cursor c1', 'news 2', 'cursor c2'), gives(LARGE, 'news 2')
    ]
  },
  {
    name: 'messages/of-an-unknown-type',
    must: 'ignore messages whose type it does not know',
    clause: 'Server → client',
    steps: [...LIVE, sends(NEW_TYPE, { type: 'weather' }, 'trades:A 2', 'cursor c2'), gives('trades:A 2')]
  },
  {
    name: 'messages/with-unknown-fields',
    must: 'ignore fields that it does not know',
    clause: 'Server → client',
    steps: [
      ...LIVE,
      sends({
        type: 'reset', channel: 'trades', symbol: 'A', reason: 'lagging', hint: { since: 4 }, severity: 3
      }, 'trades:A 9', 'cursor c2'),
      gives('reset trades:A lagging', 'trades:A 9')
    ]
  },
  {
    name: 'messages/acknowledged-is-none',
    must: 'not take the sequence of acknowledged for that of a message',
    clause: 'Acknowledged channels',
    over: ['websocket', 'event-stream'],
    subscribe: ['orders'],
    token: 'first',
    steps: [
      opens('orders'), sends('orders 1', { type: 'acknowledged', channel: 'orders', sequence: 9 },
        'orders 2', 'cursor c1'),
      gives('orders 1', 'orders 2')
    ]
  },
  {
    name: 'messages/lagging',
    must: 'take lagging for what it is: nothing is lost, and nothing comes twice',
    clause: 'Slow readers',
    over: ['websocket', 'event-stream'],
    steps: [
      ...LIVE, sends({ type: 'lagging', behind: 40 }, 'trades:A 2', 'cursor c2', 'trades:A 3',
        { type: 'lagging', behind: 0 }),
      gives('trades:A 2', 'trades:A 3'), cut, opens('trades:A after=c2'),
      sends('trades:A 3', 'trades:A 4', 'cursor c3'), gives('trades:A 4')
    ]
  },
  {
    name: 'messages/compressed',
    must: 'read what the server compresses, if it offers that',
    clause: 'Compression',
    isCompressed: true,
    steps: [
      ...LIVE, sends(...Array.from({ length: 60 }, (_, index) => `trades:A ${index + 2}`), 'cursor c2'),
      gives(...Array.from({ length: 60 }, (_, index) => `trades:A ${index + 2}`))
    ]
  },
  {
    name: 'polling/more',
    must: 'ask again at once after an answer that says more, from its cursor',
    clause: 'Polling',
    over: ['polling'],
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1 more', 'trades:A 2', 'cursor c2 more', 'trades:A 3',
        'cursor c3'),
      gives('trades:A 1', 'trades:A 2', 'trades:A 3')
    ]
  },
  {
    name: 'polling/empty-answers',
    must: 'go on from the cursor of an answer that holds no messages',
    clause: 'Polling',
    over: ['polling'],
    steps: [
      opens('trades:A'), sends('cursor c1', 'cursor c2', 'cursor c2', 'trades:A 1', 'cursor c3',
        'trades:A 2', 'cursor c4'),
      gives('trades:A 1', 'trades:A 2')
    ]
  },
  {
    name: 'polling/a-page-between',
    must: 'take an answer that is not JSON for none, and ask again from its cursor',
    clause: 'Polling',
    over: ['polling'],
    steps: [
      ...LIVE, answersAsProxy(200), opens('trades:A after=c1'), ...END
    ]
  }
]
