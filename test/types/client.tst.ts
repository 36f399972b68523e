import { Type } from '@sinclair/typebox'
import { type Message, TickwireClient } from '@tickwire/client'
import { useAction, useQuote, useTopic, useTrades } from '@tickwire/client/react'
import { defineChannel, type Quote, type Trade } from '@tickwire/protocol'
import { describe, expect, test } from 'tstyche'

const client = new TickwireClient({ url: 'https://stream.example' })
const lifts = defineChannel({
  name: 'lifts',
  type: 'lift',
  description: '',
  keyed: true,
  access: 'public',
  schema: Type.Object({ open: Type.Boolean() })
})

describe('a subscription', () => {
  test('has the messages of its channel', () => {
    client.subscribe('quotes', ['A']).onMessage(({ data }) => { expect(data).type.toBe<Quote>() })
    client.subscribe('trades', ['A']).onMessage(({ data }) => {
      expect(data).type.toBe<Trade>()
      expect(data).type.not.toHaveProperty('bid')
    })
    client.subscribe('news').onMessage(({ symbol }) => { expect(symbol).type.toBe<string | undefined>() })
  })

  test('is of a channel that there is, with symbols where it has some', () => {
    expect(client.subscribe).type.toBeCallableWith('quotes', ['A'])
    expect(client.subscribe).type.not.toBeCallableWith('quotez', ['A'])
    expect(client.subscribe).type.not.toBeCallableWith('quotes')
    expect(client.subscribe).type.not.toBeCallableWith('quotes', 'A')
    expect(client.subscribe).type.not.toBeCallableWith('news', ['A'])
  })

  test('takes the options of its channel', () => {
    expect(client.subscribe).type.toBeCallableWith('quotes', ['A'], { throttleMs: 250 })
    expect(client.subscribe).type.not.toBeCallableWith('trades', ['A'], { throttleMs: 250 })
    expect(client.subscribe).type.toBeCallableWith('book', ['A'], { depth: 5 })
    expect(client.subscribe).type.not.toBeCallableWith('quotes', ['A'], { depth: 5 })
    expect(client.subscribe).type.not.toBeCallableWith('quotes', ['A'], { throttle: 250 })
  })

  test('of an own channel is typed by its definition', () => {
    client.subscribe(lifts, ['gondola']).onMessage(message => {
      expect(message).type.toBe<Message<{ open: boolean }>>()
    })
  })
})

test('a client has no options but its own', () => {
  expect(TickwireClient).type.toBeConstructableWith({ url: 'https://stream.example', token: 'x' })
  expect(TickwireClient).type.not.toBeConstructableWith({})
  expect(TickwireClient).type.not.toBeConstructableWith({ url: 'https://stream.example', tokn: 'x' })
  expect(TickwireClient).type.not.toBeConstructableWith({ url: 'https://stream.example', transports: ['sse'] })
})

describe('hooks', () => {
  test('have the values of their channels', () => {
    expect(useQuote('A')).type.toBe<Quote | undefined>()
    expect(useTrades('A')[0]?.data).type.toBe<Trade | undefined>()
    expect(useTopic('quotes', 'A')?.data).type.toBe<Quote | undefined>()
    expect(useTopic(lifts, 'gondola')?.data).type.toBe<{ open: boolean } | undefined>()
    expect(useQuote).type.not.toBeCallableWith('A', { depth: 1 })
    expect(useTopic).type.not.toBeCallableWith('quotez', 'A')
    expect(useTopic).type.not.toBeCallableWith('news', 'A')
  })

  test('useAction takes and gives what its function does', () => {
    const [run, { result }] = useAction(async (count: number) => String(count))
    expect(run).type.toBeCallableWith(1)
    expect(run).type.not.toBeCallableWith('1')
    expect(result).type.toBe<string | undefined>()
  })
})
