import {
  type ClientMessage,
  defineChannel,
  type ErrorCode,
  type Quote,
  standardChannels
} from '@tickwire/protocol'
import { Type } from '@sinclair/typebox'
import type * as types from '@tickwire/protocol/types'
import { describe, expect, test } from 'tstyche'

describe('types follow the schemas', () => {
  test('have prices as texts, and leave out what is not known', () => {
    expect<Quote>().type.toBeAssignableFrom({ symbol: 'A', bid: '185.50' })
    expect<Quote>().type.not.toBeAssignableFrom({ symbol: 'A', bid: 185.5 })
    expect<Quote>().type.not.toBeAssignableFrom({ bid: '1' })
  })

  test('are the same from the subpath for types', () => {
    expect<types.Quote>().type.toBe<Quote>()
    expect<types.ClientMessage>().type.toBe<ClientMessage>()
  })

  test('distinguish actions by name', () => {
    expect<Extract<ClientMessage, { action: 'ping' }>>().type.toBeAssignableFrom({ action: 'ping' as const })
    expect<ClientMessage['action']>().type.toBe<
      'subscribe' | 'unsubscribe' | 'snapshot' | 'auth' | 'ping' | 'publish' | 'ack' |
      'submit_order' | 'cancel_order' | 'replace_order'
    >()
  })

  test('list the codes of the table', () => {
    expect<ErrorCode>().type.toBeAssignableFrom('bad_cursor' as const)
    expect<ErrorCode>().type.not.toBeAssignableFrom('oops' as const)
  })

  test("hold a channel's reduce to its schema", () => {
    const schema = Type.Object({ count: Type.Integer() })
    const base = {
      name: 'counts',
      type: 'count',
      description: '',
      keyed: true,
      access: 'public' as const,
      schema
    }
    expect(defineChannel).type.toBeCallableWith({
      ...base,
      reduce: (state: { count: number } | undefined, data: { count: number }) => data ?? state
    })
    expect(defineChannel).type.not.toBeCallableWith({
      ...base,
      reduce: (state: { total: number } | undefined, data: { total: number }) => data ?? state
    })
    expect(standardChannels.get('quotes')?.access).type.toBe<
      'public' | 'capability' | 'user' | 'admin' | 'internal' | undefined
    >()
  })
})
