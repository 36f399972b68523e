import { test } from 'tap'
import { DeliveryState } from '../../src/connection/delivery/delivery-state.js'
import type { Bookmark } from '../../src/hub/catch-up/bookmark.js'

const bookmark = (at: number): Bookmark => ({
  epochs: [1],
  position: [at],
  covered: undefined,
  floors: new Map(),
  pending: new Map(),
  epochPending: false,
  lostTopics: undefined,
  sets: { version: 0, position: new Map(), reduced: new Set() }
})

/** What a state says: its name, where its bookmark is, and what is pending. */
const saying = (state: DeliveryState): string =>
  [state.name, ...(state.bookmark?.position ?? []), ...[...state.pending].map(([topic, { reason, voids }]) => `${topic} ${reason}${voids === true ? ' voids' : ''}`)].join(', ')

const states = {
  live: () => new DeliveryState(),
  'live with a reset': () => {
    const state = new DeliveryState()
    state.requireResets(['a'], 'entered')
    return state
  },
  catching_up: () => {
    const state = new DeliveryState()
    state.leave(bookmark(1), 'catching_up')
    return state
  },
  lagging: () => {
    const state = new DeliveryState()
    state.leave(bookmark(1), 'lagging')
    return state
  },
  closed: () => {
    const state = new DeliveryState()
    state.close()
    return state
  }
}

const events = {
  'loses topics': (state: DeliveryState) => { state.requireResets(['b'], 'epoch_changed') },
  'misses a message': (state: DeliveryState) => { state.requireReplacement('b') },
  'has a long history pending': (state: DeliveryState) => { state.leave(bookmark(2), 'catching_up') },
  lags: (state: DeliveryState) => { state.leave(bookmark(2), 'lagging') },
  'was sent a part': (state: DeliveryState) => { state.moveTo(bookmark(3)) },
  'was sent everything': (state: DeliveryState) => { state.goLive() },
  'is cut': (state: DeliveryState) => { state.close() }
}

const table: Readonly<Record<keyof typeof states, Readonly<Record<keyof typeof events, string>>>> = {
  live: {
    'loses topics': 'live, b epoch_changed',
    'misses a message': 'live, b history_lost voids',
    'has a long history pending': 'catching_up, 2',
    lags: 'lagging, 2',
    'was sent a part': 'live',
    'was sent everything': 'live',
    'is cut': 'closed'
  },
  'live with a reset': {
    'loses topics': 'live, a entered, b epoch_changed',
    'misses a message': 'live, a entered, b history_lost voids',
    'has a long history pending': 'catching_up, 2, a entered',
    lags: 'lagging, 2, a entered',
    'was sent a part': 'live, a entered',
    'was sent everything': 'live, a entered',
    'is cut': 'closed'
  },
  catching_up: {
    'loses topics': 'catching_up, 1, b epoch_changed',
    'misses a message': 'catching_up, 1, b history_lost voids',
    'has a long history pending': 'catching_up, 1',
    lags: 'catching_up, 1',
    'was sent a part': 'catching_up, 3',
    'was sent everything': 'live',
    'is cut': 'closed'
  },
  lagging: {
    'loses topics': 'lagging, 1, b epoch_changed',
    'misses a message': 'lagging, 1, b history_lost voids',
    'has a long history pending': 'lagging, 1',
    lags: 'lagging, 1',
    'was sent a part': 'lagging, 3',
    'was sent everything': 'live',
    'is cut': 'closed'
  },
  closed: {
    'loses topics': 'closed',
    'misses a message': 'closed',
    'has a long history pending': 'closed',
    lags: 'closed',
    'was sent a part': 'closed',
    'was sent everything': 'closed',
    'is cut': 'closed'
  }
}

type Row = Record<keyof typeof events, string>
const expectations = Object.entries(table) as Array<[keyof typeof states, Row]>

for (const [from, rows] of expectations) {
  test(`a client that is ${from.replace('_', ' ')}`, async t => {
    for (const [event, expected] of Object.entries(rows) as Array<[keyof typeof events, string]>) {
      const state = states[from]()
      events[event](state)
      t.equal(saying(state), expected, event)
    }
  })
}

test('a bookmark is another object wherever it is another place', async t => {
  const state = states.lagging()
  const before = state.bookmark
  state.renewBookmark()
  t.not(state.bookmark, before)
  const moved = bookmark(5)
  state.moveTo(moved)
  t.equal(state.bookmark, moved)
})

test('a reset for a message that could not be passed on keeps voiding cursors when another reset comes', async t => {
  for (const from of ['live', 'catching_up', 'lagging'] as const) {
    const state = states[from]()
    state.requireReplacement('a')
    state.requireResets(['a'], 'entered')
    t.match(saying(state), /a history_lost voids/)
  }
})
