import type { Scenario } from '../scenario.js'
import { cut, gives, opens, sends, tells } from '../steps.js'

const PLAIN = ['BRK.B', '^GSPC', 'BTC/USDT:USDT', 'ES1!', 'A+B', 'R&D', 'C#', '삼성전자']

/** What a client asks for, and how it writes it. */
export const optionScenarios: readonly Scenario[] = [
  ...(['throttle_ms=250', 'depth=5', 'last=50'] as const).map((option): Scenario => {
    const selectors = option.startsWith('last') ? 'trades:A' : 'book:A'
    const first = option.startsWith('last') ? 'trades:A 4' : 'book:A 4 snapshot'
    const again = option.startsWith('last') ? 'trades:A 5' : 'book:A 5 snapshot'
    // `last` is for the beginning, and a resume may leave it out.
    const resumed = option.startsWith('last') ? selectors : `${selectors};${option}`
    return {
      name: `options/${option.split('=')[0]!}`,
      must: `ask for ${option} as the application wants it`,
      clause: 'Options',
      subscribe: [`${selectors};${option}`],
      steps: [
        opens(`${selectors};${option}`), sends(first, 'cursor c1'), gives(first), cut,
        opens(`${resumed} after=c1`), sends(again, 'cursor c2'), gives(again)
      ]
    }
  }),
  {
    name: 'options/symbols-of-all-kinds',
    must: 'write every symbol so that the server reads it (UTF-8; + as %2B, & as %26, # as %23)',
    clause: 'One URL',
    subscribe: [`trades:${PLAIN.join(',')}`],
    steps: [
      opens(`trades:${PLAIN.join(',')}`), sends(...PLAIN.map(symbol => `trades:${symbol} 1`), 'cursor c1'),
      gives(...PLAIN.map(symbol => `trades:${symbol} 1`))
    ]
  },
  {
    name: 'options/sets',
    must: 'subscribe to sets of symbols, and give the messages of all their topics',
    clause: 'Terms, Symbol sets',
    subscribe: ['trades:*', 'quotes:@sector/반도체'],
    steps: [
      opens('trades:*', 'quotes:@sector/반도체'),
      sends('trades:X 1', 'trades:Y 7', 'quotes:005930 3 snapshot', 'trades:X 2', 'cursor c1'),
      gives('trades:X 1', 'trades:Y 7', 'quotes:005930 3 snapshot', 'trades:X 2'), cut,
      opens('trades:* after=c1', 'quotes:@sector/반도체 after=c1'),
      sends('trades:Z 1', 'trades:X 3', 'cursor c2'), gives('trades:Z 1', 'trades:X 3')
    ]
  },
  {
    name: 'options/says-what-is-granted',
    must: 'say which symbols the server granted',
    clause: 'Control, subscribed',
    over: ['websocket', 'event-stream'],
    steps: [
      opens('trades:A'), tells({ event: 'subscribed', channel: 'trades', symbols: ['A'] }),
      sends('trades:A 1', 'cursor c1'), gives('trades:A 1')
    ]
  },
  {
    name: 'options/says-that-it-is-live',
    must: 'say that it is live, and over which transport',
    clause: 'Terms, live',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'),
      tells({ event: 'state', state: 'live' })
    ]
  }
]
