import { Type } from '@sinclair/typebox'
import { describe, expect, test } from 'tstyche'
import { defineChannel, quotes, type Tickwire, type TickwireOptions } from '../../src/index.js'

const counts = defineChannel({
  name: 'counts',
  type: 'count',
  description: '',
  keyed: true,
  access: 'public',
  schema: Type.Object({ count: Type.Integer() }),
  reduce: 'last',
  merge: 'last'
})

declare const live: Tickwire

describe("the plugin's options", () => {
  test('takes its documented options', () => {
    expect<TickwireOptions>().type.toBeAssignableFrom({
      prefix: '/live',
      channels: [counts, quotes],
      routes: ['stream' as const],
      settings: { FLUSH_MS: 0 }
    })
  })

  test('does not compile with a wrong option', () => {
    expect<TickwireOptions>().type.not.toBeAssignableFrom({ prefix: 1 })
    expect<TickwireOptions>().type.not.toBeAssignableFrom({ routes: ['streams' as const] })
    expect<TickwireOptions>().type.not.toBeAssignableFrom({ settings: { FLUSH_MS: '0' } })
    expect<TickwireOptions>().type.not.toBeAssignableFrom({
      channels: [{ ...counts, access: 'everybody' as const }]
    })
    expect<TickwireOptions>().type.not.toBeAssignableFrom({ channels: [{ name: 'counts' }] })
  })

  test('types what is published by its channel', () => {
    expect(live.publish).type.toBeCallableWith(counts, { symbol: 'a', data: { count: 1 } })
    expect(live.publish).type.not.toBeCallableWith(counts, { symbol: 'a', data: { count: 'one' } })
    expect(live.publish).type.not.toBeCallableWith(quotes, { symbol: 'A', data: { bid: 1 } })
  })

  test("types reduce and merge by the channel's schema", () => {
    const base = {
      name: 'sums',
      type: 'sum',
      description: '',
      keyed: true,
      access: 'public' as const,
      schema: Type.Object({ sum: Type.Integer() })
    }
    expect(defineChannel).type.toBeCallableWith({
      ...base,
      merge: (pending: { sum: number }, data: { sum: number }) => ({ sum: pending.sum + data.sum })
    })
    expect(defineChannel).type.not.toBeCallableWith({
      ...base,
      merge: (pending: { total: number }) => pending
    })
  })
})
